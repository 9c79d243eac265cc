// System calls about the host that Swift cannot reach otherwise: prctl and mremap are variadic, getdents64 reads a
// folder without the C library's stream, and the C library hides the affinity calls and has none for seccomp and
// Landlock. Raw, so that they are the same under every C library. No logic.
//
// Facts: prctl(2), PR_GET_SPECULATION_CTRL(2const), getdents64(2), mremap(2), sched_setaffinity(2), seccomp(2),
// landlock(7); include/uapi/linux/prctl.h, filter.h, seccomp.h.
#ifndef CHOST_HOST_H
#define CHOST_HOST_H

#include <stdint.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

// Newer than some kernel headers. ABI: numbers never change.
#ifndef PR_SPEC_L1D_FLUSH
#define PR_SPEC_L1D_FLUSH 2
#endif

/// prctl(2) of two arguments, the others 0: its result, or -errno.
static inline long chost_prctl(long option, unsigned long argument) {
  long result;
  register unsigned long r10 __asm__("r10") = 0;
  register unsigned long r8 __asm__("r8") = 0;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(157L), "D"(option), "S"(argument), "d"(0UL), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  return result;
}

/// prctl(PR_GET_SPECULATION_CTRL, misfeature): the state's bits, or -errno.
static inline long chost_get_speculation_control(unsigned long misfeature) {
  return chost_prctl(PR_GET_SPECULATION_CTRL, misfeature);
}

/// A system call of three arguments: its result, or -errno.
static inline long chost_syscall3(long number, long first, long second, long third) {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(first), "S"(second), "d"(third)
                   : "rcx", "r11", "memory");
  return result;
}

/// mremap(2) with an old size of 0: the pages of a shared mapping at one more address, which is the result, or -errno.
static inline long chost_map_again(void *address, unsigned long size) {
  long result;
  register long r10 __asm__("r10") = 1;  // MREMAP_MAYMOVE
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(25L), "D"((unsigned long)address), "S"(0L), "d"(size), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
}

/// getdents64(2): how many bytes of `struct linux_dirent64` were written, 0 at the end of the folder, or -errno.
static inline long chost_getdents64(int descriptor, void *buffer, unsigned long size) {
  return chost_syscall3(217, descriptor, (long)buffer, (long)size);
}

/// sched_setaffinity(2): 0, or -errno. `mask` has one bit per processor, `size` bytes of them.
static inline long chost_sched_setaffinity(int thread, unsigned long size, const void *mask) {
  return chost_syscall3(203, thread, (long)size, (long)mask);
}

/// sched_getaffinity(2): how many bytes of `mask` were written, or -errno.
static inline long chost_sched_getaffinity(int thread, unsigned long size, void *mask) {
  return chost_syscall3(204, thread, (long)size, (long)mask);
}

/// gettid(2), which older C libraries hide: the number of this thread.
static inline int chost_gettid(void) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(186L) : "rcx", "r11", "memory");
  return (int)result;
}

struct chost_cpuid_result {
  uint32_t eax, ebx, ecx, edx;
};

/// CPUID as this process sees it.
static inline struct chost_cpuid_result chost_cpuid(uint32_t leaf, uint32_t subleaf) {
  struct chost_cpuid_result r;
  __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
  return r;
}

/// seccomp(SECCOMP_SET_MODE_FILTER): 0, -errno, or the number of a thread that it could not be set for.
static inline long chost_set_filter(unsigned long flags, const struct sock_filter *instructions, unsigned short count) {
  struct sock_fprog program = {.len = count, .filter = (struct sock_filter *)instructions};
  return chost_syscall3(317, SECCOMP_SET_MODE_FILTER, (long)flags, (long)&program);
}

/// landlock_create_ruleset(2): a descriptor, the version where that is asked for, or -errno.
static inline long chost_landlock_create_ruleset(const void *attributes, unsigned long size, unsigned int flags) {
  return chost_syscall3(444, (long)attributes, (long)size, flags);
}

/// landlock_restrict_self(2): 0, or -errno.
static inline long chost_landlock_restrict_self(int ruleset, unsigned int flags) {
  return chost_syscall3(446, ruleset, flags, 0);
}

#endif
