// What Swift cannot reach of the calls about files: flags and calls that the C library shows to programs with GNU
// extensions only. Raw, so that they are the same under every C library. No logic.
//
// Facts: open(2), linkat(2), statx(2), fallocate(2), getxattr(2), acl(5); include/uapi/asm-generic/fcntl.h,
// linux/fcntl.h, linux/stat.h.
#ifndef CHOST_FILES_H
#define CHOST_FILES_H

#include <stddef.h>
#include <linux/stat.h>

// ABI: numbers never change. Those of open(2) are x86's.
static const int chost_o_path = 010000000;
static const int chost_o_tmpfile = 020200000;
static const int chost_at_empty_path = 0x1000;

// Newer than some kernel headers.
#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif

/// A system call of five arguments: its result, or -errno.
static inline long chost_syscall5(long number, long first, long second, long third, long fourth, long fifth) {
  long result;
  register long r10 __asm__("r10") = fourth;
  register long r8 __asm__("r8") = fifth;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  return result;
}

/// statx(2): whether an open file is one at which something is mounted. Kernels before 5.8 do not say, and neither does
/// this.
static inline _Bool chost_is_mount_root(int descriptor) {
  struct statx status = {0};
  long result = chost_syscall5(332, descriptor, (long)"", chost_at_empty_path, 0, (long)&status);
  return result == 0 && (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/// fallocate(2) with FALLOC_FL_KEEP_SIZE, from the file's beginning: 0, or -errno.
static inline long chost_fallocate_keeping_size(int descriptor, long count) {
  return chost_syscall5(285, descriptor, 1, 0, count, 0);
}

/// fgetxattr(2): whether an open file has an access control list beside its mode.
static inline _Bool chost_has_access_list(int descriptor) {
  return chost_syscall5(193, descriptor, (long)"system.posix_acl_access", 0, 0, 0) > 0;
}

#endif
