// What has to be done before the Swift runtime starts, so that the program works where /proc is not mounted.
//
// Swift's CommandLine reads /proc/self/cmdline and is empty without it. glibc hands a constructor what main gets (csu/libc-start.c
// and elf/dl-init.c, call_init).
//
// In a static program the runtime's own constructor asks dladdr(3) where its library is, to find its backtracer beside it, and
// aborts when nobody knows: glibc takes that from /proc/self/exe. Nothing is asked where SWIFT_ROOT says it (Swift,
// stdlib/public/runtime/Paths.cpp). Constructors of priority 101 run before all without one.
//
// And what the program knows of its own build: a program that names an interpreter is linked dynamically (elf(5), getauxval(3)).

#include "program.h"

#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifndef __GLIBC__
#error "constructors get the program's words from glibc alone"
#endif

static int count;
static char **words;

__attribute__((constructor(101))) static void keep(int argc, char **argv, char **environment) {
  (void)environment;
  count = argc;
  words = argv;
  if (access("/proc/self/exe", F_OK) != 0) setenv("SWIFT_ROOT", "/", 0);
}

int cprogram_word_count(void) { return count; }

const char *cprogram_word(int number) { return number >= 0 && number < count ? words[number] : NULL; }

// A section of its own: scripts/build-static replaces it in the linked program, so that a new commit compiles nothing. The compiler must
// not use the value that it sees here.
__attribute__((section("spectrap_commit"), used)) static const volatile char commit[64] = "";

const char *cprogram_commit(void) { return (const char *)commit; }

int cprogram_is_static(void) {
  const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
  for (unsigned long number = 0; headers && number < getauxval(AT_PHNUM); number++) {
    if (headers[number].p_type == PT_INTERP) return 0;
  }
  return 1;
}
