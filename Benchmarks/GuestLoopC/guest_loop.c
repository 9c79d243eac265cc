// The yardstick of scripts/lab-cost: the smallest C loop that runs the same guest under the same policy.
// Usage: guest_loop POLICY DUMP, a file that GuestDump wrote (its format stands there).
// Prints the median of the guest's cycles per iteration, the host's cycles of the whole run, and the exits.
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { spec_ctrl = 0x48, cpuid_capacity = 256 };

struct header {
  uint64_t samples, sample_count, doorbell, memory_size, piece_count;
};
struct piece {
  uint64_t address, length;
};
struct sample {
  uint64_t iterations, start, end;
};
struct msr_list {
  struct kvm_msrs head;
  struct kvm_msr_entry entry;
};

static void check(long result, const char *what) {
  if (result < 0) {
    perror(what);
    exit(1);
  }
}

static void take(FILE *file, void *into, size_t count) {
  if (fread(into, 1, count, file) != count) {
    fprintf(stderr, "the dump is too short\n");
    exit(1);
  }
}

static uint64_t cycles(void) {
  uint32_t low, high;
  __asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
  return (uint64_t)high << 32 | low;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(const struct sample *samples, uint64_t count) {
  double *values = calloc(count, sizeof *values);
  for (uint64_t i = 0; i < count; i++)
    values[i] = (double)(samples[i].end - samples[i].start) / (double)samples[i].iterations;
  qsort(values, count, sizeof *values, ascending);
  double result = (values[(count - 1) / 2] + values[count / 2]) / 2;
  free(values);
  return result;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: guest_loop passthrough|emulate|autoload|manual|shadow DUMP\n");
    return 64;
  }
  int autoload = strcmp(argv[1], "autoload") == 0, manual = strcmp(argv[1], "manual") == 0;
  int shadow = strcmp(argv[1], "shadow") == 0, traps = shadow || strcmp(argv[1], "emulate") == 0;
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  check(kvm, "/dev/kvm");
  int vm = ioctl(kvm, KVM_CREATE_VM, 0);
  check(vm, "KVM_CREATE_VM");
  if (traps) {
    struct kvm_enable_cap cap = {.cap = KVM_CAP_X86_USER_SPACE_MSR, .args = {KVM_MSR_EXIT_REASON_FILTER}};
    check(ioctl(vm, KVM_ENABLE_CAP, &cap), "KVM_ENABLE_CAP");
    unsigned char denied[8] = {0};
    struct kvm_msr_filter filter = {
        .flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
        .ranges = {
            {.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE, .nmsrs = 1, .base = spec_ctrl, .bitmap = denied}}};
    check(ioctl(vm, KVM_X86_SET_MSR_FILTER, &filter), "KVM_X86_SET_MSR_FILTER");
  }

  FILE *dump = fopen(argv[2], "rb");
  check(dump ? 0 : -1, argv[2]);
  struct header header;
  struct kvm_regs registers;
  struct kvm_sregs special, initial;
  take(dump, &header, sizeof header);
  take(dump, &registers, sizeof registers);
  take(dump, &special, sizeof special);
  unsigned char *memory =
      mmap(NULL, header.memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check(memory == MAP_FAILED ? -1 : 0, "mmap");
  for (uint64_t i = 0; i < header.piece_count; i++) {
    struct piece piece;
    take(dump, &piece, sizeof piece);
    take(dump, memory + piece.address, piece.length);
  }
  fclose(dump);
  struct kvm_userspace_memory_region region = {
      .memory_size = header.memory_size, .userspace_addr = (unsigned long)memory};
  check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");

  int cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
  check(cpu, "KVM_CREATE_VCPU");
  struct kvm_cpuid2 *cpuid = calloc(1, sizeof *cpuid + cpuid_capacity * sizeof cpuid->entries[0]);
  cpuid->nent = cpuid_capacity;
  check(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid), "KVM_GET_SUPPORTED_CPUID");
  check(ioctl(cpu, KVM_SET_CPUID2, cpuid), "KVM_SET_CPUID2");
  check(ioctl(cpu, KVM_GET_SREGS, &initial), "KVM_GET_SREGS");
  special.apic_base = initial.apic_base;
  check(ioctl(cpu, KVM_SET_SREGS, &special), "KVM_SET_SREGS");
  check(ioctl(cpu, KVM_SET_REGS, &registers), "KVM_SET_REGS");
  // `emulate` and `shadow` keep IBRS on in the register; the others start with what a new vCPU has.
  struct msr_list guest = {.head.nmsrs = 1, .entry = {.index = spec_ctrl, .data = traps}}, host = guest;
  uint64_t written = 0, held = guest.entry.data;
  if (traps) check(ioctl(cpu, KVM_SET_MSRS, &guest) - 1, "KVM_SET_MSRS");

  struct kvm_run *run =
      mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
  check(run == MAP_FAILED ? -1 : 0, "mmap of kvm_run");
  unsigned long out = 0, wrmsr = 0;
  uint64_t began = cycles();
  for (;;) {
    // `manual` and `shadow` write only what differs; a bit of the guest's own differs in none of these guests.
    if (autoload || guest.entry.data != held) check(ioctl(cpu, KVM_SET_MSRS, &guest) - 1, "the guest's value");
    held = guest.entry.data;
    check(ioctl(cpu, KVM_RUN, 0), "KVM_RUN");
    if (autoload || manual) {
      check(ioctl(cpu, KVM_GET_MSRS, &guest) - 1, "the guest's value");
      held = guest.entry.data;
      if (autoload || held != host.entry.data) {
        check(ioctl(cpu, KVM_SET_MSRS, &host) - 1, "the host's value");
        held = host.entry.data;
      }
    }
    switch (run->exit_reason) {
      case KVM_EXIT_IO:
        out++;
        if (run->io.port != header.doorbell) break;
        uint64_t ended = cycles();
        printf("%.4f %llu %lu\n", median((struct sample *)(memory + header.samples), header.sample_count),
               (unsigned long long)(ended - began), out + wrmsr);
        return 0;
      case KVM_EXIT_X86_WRMSR:
        wrmsr++;
        if (run->msr.index == spec_ctrl) {
          written = run->msr.data;
          if (shadow) guest.entry.data = 1 | written;
          run->msr.error = 0;
        } else {
          run->msr.error = 1;
        }
        break;
      default: fprintf(stderr, "exit reason %u, written %llu\n", run->exit_reason, (unsigned long long)written); return 1;
    }
  }
}
