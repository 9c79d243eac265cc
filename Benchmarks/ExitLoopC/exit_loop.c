// The yardstick: the smallest C loop that answers the same exits of the same guest, counts them and tells how long it took.
// Usage: exit_loop IMAGE, an image that `ExitLoop KIND COUNT IMAGE` wrote (loaded at 0x1000, real mode).
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void check(long result, const char *what) {
  if (result < 0) {
    perror(what);
    exit(1);
  }
}

static unsigned long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ul + now.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: exit_loop IMAGE\n");
    return 64;
  }
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  check(kvm, "/dev/kvm");
  int vm = ioctl(kvm, KVM_CREATE_VM, 0);
  check(vm, "KVM_CREATE_VM");

  struct kvm_enable_cap cap = {.cap = KVM_CAP_X86_USER_SPACE_MSR, .args = {KVM_MSR_EXIT_REASON_FILTER}};
  check(ioctl(vm, KVM_ENABLE_CAP, &cap), "KVM_ENABLE_CAP");
  unsigned char denied[8] = {0};
  struct kvm_msr_filter filter = {
      .flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
      .ranges = {{.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE, .nmsrs = 1, .base = 0x48, .bitmap = denied}}};
  check(ioctl(vm, KVM_X86_SET_MSR_FILTER, &filter), "KVM_X86_SET_MSR_FILTER");

  unsigned char *memory = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int image = open(argv[1], O_RDONLY);
  check(image, argv[1]);
  check(read(image, memory + 0x1000, 0xf000), argv[1]);
  struct kvm_userspace_memory_region region = {.memory_size = 0x10000, .userspace_addr = (unsigned long)memory};
  check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");

  int cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
  check(cpu, "KVM_CREATE_VCPU");
  int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  check(size, "KVM_GET_VCPU_MMAP_SIZE");
  struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
  struct kvm_sregs special;
  check(ioctl(cpu, KVM_GET_SREGS, &special), "KVM_GET_SREGS");
  special.cs.base = 0;
  special.cs.selector = 0;
  check(ioctl(cpu, KVM_SET_SREGS, &special), "KVM_SET_SREGS");
  struct kvm_regs registers = {.rip = 0x1000, .rflags = 2};
  check(ioctl(cpu, KVM_SET_REGS, &registers), "KVM_SET_REGS");

  unsigned long out = 0, wrmsr = 0, hlt = 0, shadow = 0, began = nanoseconds();
  for (;;) {
    check(ioctl(cpu, KVM_RUN, 0), "KVM_RUN");
    switch (run->exit_reason) {
      case KVM_EXIT_IO:
        out++;
        if (run->io.port == 0x11) {
          printf("halt %lu, portOut %lu, writeMSR %lu, shadow %lu, nanoseconds %lu\n", hlt, out, wrmsr, shadow,
                 nanoseconds() - began);
          return 0;
        }
        break;
      case KVM_EXIT_X86_WRMSR:
        wrmsr++;
        if (run->msr.index == 0x48) {
          shadow = run->msr.data;
          run->msr.error = 0;
        } else {
          run->msr.error = 1;
        }
        break;
      case KVM_EXIT_HLT: hlt++; break;
      default: fprintf(stderr, "exit reason %u\n", run->exit_reason); return 1;
    }
  }
}
