// System calls about the host that Swift cannot reach otherwise: prctl and mremap are variadic, getdents64 reads a folder without the C
// library's stream, and the C library hides the affinity calls. Raw, so that they are the same under every C library. No
// logic.
//
// Facts: prctl(2), PR_GET_SPECULATION_CTRL(2const), getdents64(2), mremap(2), sched_setaffinity(2); include/uapi/linux/prctl.h.
#ifndef CHOST_HOST_H
#define CHOST_HOST_H

#include <stdint.h>
#include <linux/prctl.h>

// Newer than some kernel headers. ABI: numbers never change.
#ifndef PR_SPEC_L1D_FLUSH
#define PR_SPEC_L1D_FLUSH 2
#endif

/// prctl(PR_GET_SPECULATION_CTRL, misfeature): the state's bits, or -errno.
static inline long chost_get_speculation_control(unsigned long misfeature) {
  long result;
  register unsigned long r10 __asm__("r10") = 0;
  register unsigned long r8 __asm__("r8") = 0;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(157L), "D"((unsigned long)PR_GET_SPECULATION_CTRL), "S"(misfeature), "d"(0UL), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  return result;
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

#endif
