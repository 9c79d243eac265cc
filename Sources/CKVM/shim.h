// What Swift cannot import from <linux/kvm.h> by itself, and nothing more: request numbers (function-like macros),
// ioctl (variadic), and the instructions that have no library function. No logic.
//
// Facts: Linux Documentation/virt/kvm/api.rst; include/uapi/linux/kvm.h; Intel SDM vol. 2 (CPUID, RDTSC, RDTSCP,
// LFENCE).
#ifndef CKVM_SHIM_H
#define CKVM_SHIM_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/kvm.h>

// Names for what Debian 12's header does not have yet. They are ABI: numbers never change.
#ifndef KVM_EXIT_RISCV_CSR
#define KVM_EXIT_RISCV_CSR 36
#endif
#ifndef KVM_EXIT_NOTIFY
#define KVM_EXIT_NOTIFY 37
#endif
#ifndef KVM_EXIT_LOONGARCH_IOCSR
#define KVM_EXIT_LOONGARCH_IOCSR 38
#endif
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39
#endif
#ifndef KVM_EXIT_TDX
#define KVM_EXIT_TDX 40
#endif
#ifndef KVM_EXIT_ARM_SEA
#define KVM_EXIT_ARM_SEA 41
#endif

/// The payload of KVM_EXIT_MEMORY_FAULT (KVM API section 5, since Linux 6.8), which older headers lack.
struct ckvm_memory_fault {
  uint64_t flags;
  uint64_t gpa;
  uint64_t size;
};

#define CKVM_REQUEST(name, number) ckvm_##name __attribute__((swift_name(#name))) = number

// Every request that a VMM on x86-64 can make. An open enumeration: KVM may know more than this header.
enum __attribute__((enum_extensibility(open))) ckvm_request : unsigned long {
  // The system descriptor, /dev/kvm.
  CKVM_REQUEST(getAPIVersion, KVM_GET_API_VERSION),
  CKVM_REQUEST(createVM, KVM_CREATE_VM),
  CKVM_REQUEST(getMSRIndexList, KVM_GET_MSR_INDEX_LIST),
  CKVM_REQUEST(getMSRFeatureIndexList, KVM_GET_MSR_FEATURE_INDEX_LIST),
  CKVM_REQUEST(checkExtension, KVM_CHECK_EXTENSION),
  CKVM_REQUEST(getVCPUMapSize, KVM_GET_VCPU_MMAP_SIZE),
  CKVM_REQUEST(getSupportedCPUID, KVM_GET_SUPPORTED_CPUID),
  CKVM_REQUEST(getEmulatedCPUID, KVM_GET_EMULATED_CPUID),
  CKVM_REQUEST(getSupportedHyperVCPUID, KVM_GET_SUPPORTED_HV_CPUID),
  CKVM_REQUEST(getMCECapabilities, KVM_X86_GET_MCE_CAP_SUPPORTED),

  // A VM descriptor.
  CKVM_REQUEST(createVCPU, KVM_CREATE_VCPU),
  CKVM_REQUEST(getDirtyLog, KVM_GET_DIRTY_LOG),
  CKVM_REQUEST(clearDirtyLog, KVM_CLEAR_DIRTY_LOG),
  CKVM_REQUEST(resetDirtyRings, KVM_RESET_DIRTY_RINGS),
  CKVM_REQUEST(setUserMemoryRegion, KVM_SET_USER_MEMORY_REGION),
  CKVM_REQUEST(setTSSAddress, KVM_SET_TSS_ADDR),
  CKVM_REQUEST(setIdentityMapAddress, KVM_SET_IDENTITY_MAP_ADDR),
  CKVM_REQUEST(setBootCPUID, KVM_SET_BOOT_CPU_ID),
  CKVM_REQUEST(createIRQChip, KVM_CREATE_IRQCHIP),
  CKVM_REQUEST(getIRQChip, KVM_GET_IRQCHIP),
  CKVM_REQUEST(setIRQChip, KVM_SET_IRQCHIP),
  CKVM_REQUEST(irqLine, KVM_IRQ_LINE),
  CKVM_REQUEST(irqLineStatus, KVM_IRQ_LINE_STATUS),
  CKVM_REQUEST(setGSIRouting, KVM_SET_GSI_ROUTING),
  CKVM_REQUEST(signalMSI, KVM_SIGNAL_MSI),
  CKVM_REQUEST(irqfd, KVM_IRQFD),
  CKVM_REQUEST(ioeventfd, KVM_IOEVENTFD),
  CKVM_REQUEST(createPIT2, KVM_CREATE_PIT2),
  CKVM_REQUEST(getPIT2, KVM_GET_PIT2),
  CKVM_REQUEST(setPIT2, KVM_SET_PIT2),
  CKVM_REQUEST(reinjectControl, KVM_REINJECT_CONTROL),
  CKVM_REQUEST(setClock, KVM_SET_CLOCK),
  CKVM_REQUEST(getClock, KVM_GET_CLOCK),
  CKVM_REQUEST(setMSRFilter, KVM_X86_SET_MSR_FILTER),
  CKVM_REQUEST(setPMUEventFilter, KVM_SET_PMU_EVENT_FILTER),
  CKVM_REQUEST(registerCoalescedMMIO, KVM_REGISTER_COALESCED_MMIO),
  CKVM_REQUEST(unregisterCoalescedMMIO, KVM_UNREGISTER_COALESCED_MMIO),
  CKVM_REQUEST(createDevice, KVM_CREATE_DEVICE),
  CKVM_REQUEST(setDeviceAttribute, KVM_SET_DEVICE_ATTR),
  CKVM_REQUEST(getDeviceAttribute, KVM_GET_DEVICE_ATTR),
  CKVM_REQUEST(hasDeviceAttribute, KVM_HAS_DEVICE_ATTR),
  CKVM_REQUEST(memoryEncryptOperation, KVM_MEMORY_ENCRYPT_OP),

  // A VM or a vCPU descriptor.
  CKVM_REQUEST(enableCapability, KVM_ENABLE_CAP),
  CKVM_REQUEST(getStatisticsDescriptor, KVM_GET_STATS_FD),
  CKVM_REQUEST(setTSCFrequency, KVM_SET_TSC_KHZ),
  CKVM_REQUEST(getTSCFrequency, KVM_GET_TSC_KHZ),

  // A vCPU descriptor.
  CKVM_REQUEST(run, KVM_RUN),
  CKVM_REQUEST(getRegisters, KVM_GET_REGS),
  CKVM_REQUEST(setRegisters, KVM_SET_REGS),
  CKVM_REQUEST(getSpecialRegisters, KVM_GET_SREGS),
  CKVM_REQUEST(setSpecialRegisters, KVM_SET_SREGS),
  CKVM_REQUEST(getSpecialRegisters2, KVM_GET_SREGS2),
  CKVM_REQUEST(setSpecialRegisters2, KVM_SET_SREGS2),
  CKVM_REQUEST(translate, KVM_TRANSLATE),
  CKVM_REQUEST(interrupt, KVM_INTERRUPT),
  CKVM_REQUEST(nmi, KVM_NMI),
  CKVM_REQUEST(smi, KVM_SMI),
  CKVM_REQUEST(getMSRs, KVM_GET_MSRS),
  CKVM_REQUEST(setMSRs, KVM_SET_MSRS),
  CKVM_REQUEST(setCPUID2, KVM_SET_CPUID2),
  CKVM_REQUEST(getCPUID2, KVM_GET_CPUID2),
  CKVM_REQUEST(setSignalMask, KVM_SET_SIGNAL_MASK),
  CKVM_REQUEST(getFPU, KVM_GET_FPU),
  CKVM_REQUEST(setFPU, KVM_SET_FPU),
  CKVM_REQUEST(getLocalAPIC, KVM_GET_LAPIC),
  CKVM_REQUEST(setLocalAPIC, KVM_SET_LAPIC),
  CKVM_REQUEST(getMPState, KVM_GET_MP_STATE),
  CKVM_REQUEST(setMPState, KVM_SET_MP_STATE),
  CKVM_REQUEST(setGuestDebug, KVM_SET_GUEST_DEBUG),
  CKVM_REQUEST(setupMCE, KVM_X86_SETUP_MCE),
  CKVM_REQUEST(setMCE, KVM_X86_SET_MCE),
  CKVM_REQUEST(getEvents, KVM_GET_VCPU_EVENTS),
  CKVM_REQUEST(setEvents, KVM_SET_VCPU_EVENTS),
  CKVM_REQUEST(getDebugRegisters, KVM_GET_DEBUGREGS),
  CKVM_REQUEST(setDebugRegisters, KVM_SET_DEBUGREGS),
  CKVM_REQUEST(getXSAVE, KVM_GET_XSAVE),
  CKVM_REQUEST(getXSAVE2, KVM_GET_XSAVE2),
  CKVM_REQUEST(setXSAVE, KVM_SET_XSAVE),
  CKVM_REQUEST(getXCRs, KVM_GET_XCRS),
  CKVM_REQUEST(setXCRs, KVM_SET_XCRS),
  CKVM_REQUEST(kvmclockControl, KVM_KVMCLOCK_CTRL),
  CKVM_REQUEST(getNestedState, KVM_GET_NESTED_STATE),
  CKVM_REQUEST(setNestedState, KVM_SET_NESTED_STATE),
} __attribute__((swift_name("Request")));

#undef CKVM_REQUEST

/// ioctl(2) as a raw system call: a result of 0 or more, or -errno. Touches neither errno nor any lock.
static inline int ckvm_ioctl(int descriptor, enum ckvm_request request, unsigned long argument) {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(16L), "D"((long)descriptor), "S"((unsigned long)request), "d"(argument)
                   : "rcx", "r11", "memory");
  return (int)result;
}

/// RDTSC, not ordered against the instructions around it.
static inline uint64_t ckvm_rdtsc(void) { return __builtin_ia32_rdtsc(); }

/// RDTSCP: waits for earlier instructions; the processor's IA32_TSC_AUX goes to `aux`.
static inline uint64_t ckvm_rdtscp(uint32_t *aux) { return __builtin_ia32_rdtscp(aux); }

/// LFENCE: no later instruction starts before every earlier one has completed.
static inline void ckvm_lfence(void) { __builtin_ia32_lfence(); }

/// LFENCE; RDTSC; LFENCE: a time stamp ordered against the code before and after it.
static inline uint64_t ckvm_ordered_rdtsc(void) {
  ckvm_lfence();
  uint64_t stamp = ckvm_rdtsc();
  ckvm_lfence();
  return stamp;
}

#endif
