// Starting a shell command: posix_spawn(3) with the structures that it takes, whose types differ between C libraries.
// No logic.
//
// Facts: posix_spawn(3), environ(7), sh(1).
#ifndef CHOST_SPAWN_H
#define CHOST_SPAWN_H

#include <paths.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/types.h>

/// Runs `/bin/sh -c command` with two descriptors as standard input and output, no signal blocked, and those that this
/// program ignores as they are at the start of a program: 0, or an error's number.
static inline int chost_spawn_shell(const char *command, int input, int output, pid_t *child) {
  extern char **environ;
  char *const words[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  sigaddset(&usual, SIGXFSZ);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, input, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  int error = posix_spawn(child, _PATH_BSHELL, &actions, &attributes, words, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error;
}

#endif
