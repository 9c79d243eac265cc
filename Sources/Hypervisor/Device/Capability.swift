// What KVM can be asked with KVM_CHECK_EXTENSION: one type for the number, constants for those that matter on x86-64.
//
// Facts: KVM API section 4.4 (KVM_CHECK_EXTENSION) and chapters 6 to 8 (what each capability means); Linux
// include/uapi/linux/kvm.h (the numbers). The names of all of them are in Capability+Names.swift.

/// Something that KVM may be able to do: a KVM_CAP_* number.
public struct Capability: RawRepresentable, Hashable, Comparable, Sendable {
  /// The number that KVM_CHECK_EXTENSION takes.
  public let rawValue: UInt32

  /// The capability with the given number, whether or not any kernel knows it.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// Orders capabilities by number, which is the order of their invention.
  public static func < (left: Capability, right: Capability) -> Bool {
    left.rawValue < right.rawValue
  }

  /// Every capability that has a name, in the order of the numbers.
  public static let all: [Capability] = names.keys.sorted().map(Capability.init(rawValue:))
}

extension Capability: CustomStringConvertible {
  /// The kernel's name without `KVM_CAP_`, or nil when this project does not know the number.
  public var name: String? { Capability.names[rawValue] }

  /// The kernel's name, `KVM_CAP_X86_MSR_FILTER`; the number where the name is not known.
  public var description: String {
    "KVM_CAP_" + (name ?? String(rawValue))
  }

  /// Reads a name, in any case and with or without `KVM_CAP_`, or a number.
  ///
  /// Nil when the text is neither a known name nor a number.
  public init?(parsing text: String) {
    let upper = text.uppercased()
    let bare = upper.hasPrefix("KVM_CAP_") ? String(upper.dropFirst("KVM_CAP_".count)) : upper
    if let number = Capability.numbers[bare] {
      self.init(rawValue: number)
    } else if bare.allSatisfy(\.isWholeNumber), let number = UInt32(bare) {
      self.init(rawValue: number)
    } else {
      return nil
    }
  }

  private static let numbers: [String: UInt32] = Dictionary(uniqueKeysWithValues: names.map { ($1, $0) })
}

extension Capability {
  // What makes a VM.
  /// IRQCHIP: the interrupt controllers can live in the kernel.
  public static let irqchip = Capability(rawValue: 0)
  /// PIT2: the timer can live in the kernel.
  public static let pit2 = Capability(rawValue: 33)
  /// USER_MEMORY: guest memory is the VMM's own memory.
  public static let userMemory = Capability(rawValue: 3)
  /// SET_TSS_ADDR: where VMX real mode keeps its task state segment can be set.
  public static let setTSSAddress = Capability(rawValue: 4)
  /// SET_IDENTITY_MAP_ADDR: where VMX real mode keeps its page table can be set.
  public static let setIdentityMapAddress = Capability(rawValue: 37)
  /// NR_VCPUS: how many vCPUs a VM had better not exceed.
  public static let recommendedVCPUs = Capability(rawValue: 9)
  /// MAX_VCPUS: how many vCPUs a VM can have.
  public static let maximumVCPUs = Capability(rawValue: 66)
  /// MAX_VCPU_ID: one more than the highest vCPU identifier.
  public static let maximumVCPUID = Capability(rawValue: 128)
  /// NR_MEMSLOTS: how many memory slots a VM can have.
  public static let memorySlots = Capability(rawValue: 10)
  /// READONLY_MEM: memory slots can be read-only.
  public static let readOnlyMemory = Capability(rawValue: 81)
  /// SYNC_MMU: changes to the VMM's mappings show in the guest.
  public static let syncMMU = Capability(rawValue: 16)
  /// SPLIT_IRQCHIP: the local APICs can live in the kernel alone.
  public static let splitIRQChip = Capability(rawValue: 121)
  /// CHECK_EXTENSION_VM: KVM_CHECK_EXTENSION works on a VM descriptor.
  public static let checkExtensionVM = Capability(rawValue: 105)
  /// ENABLE_CAP_VM: KVM_ENABLE_CAP works on a VM descriptor.
  public static let enableCapabilityVM = Capability(rawValue: 98)
  /// VM_TYPES: which VM types there are, as a bit mask.
  public static let vmTypes = Capability(rawValue: 235)
  /// USER_MEMORY2: KVM_SET_USER_MEMORY_REGION2 exists.
  public static let userMemory2 = Capability(rawValue: 231)
  /// GUEST_MEMFD: guest memory can be private to the guest.
  public static let guestMemfd = Capability(rawValue: 234)
  /// MEMORY_FAULT_INFO: KVM_EXIT_MEMORY_FAULT tells the address.
  public static let memoryFaultInfo = Capability(rawValue: 232)

  // How the run loop stops and starts.
  /// IMMEDIATE_EXIT: kvm_run.immediate_exit makes KVM_RUN return at once.
  public static let immediateExit = Capability(rawValue: 136)
  /// SYNC_REGS: registers travel in kvm_run, without an ioctl of their own.
  public static let syncRegisters = Capability(rawValue: 74)
  /// X86_DISABLE_EXITS: which exits can be turned off, as a bit mask.
  public static let disableExits = Capability(rawValue: 143)
  /// INTERNAL_ERROR_DATA: KVM_EXIT_INTERNAL_ERROR carries data.
  public static let internalErrorData = Capability(rawValue: 40)
  /// EXIT_ON_EMULATION_FAILURE: emulation failures can come to the VMM.
  public static let exitOnEmulationFailure = Capability(rawValue: 204)
  /// EXIT_HYPERCALL: which hypercalls can exit to the VMM, as a bit mask.
  public static let exitHypercall = Capability(rawValue: 201)
  /// X86_TRIPLE_FAULT_EVENT: a pending triple fault can be read and set.
  public static let tripleFaultEvent = Capability(rawValue: 218)
  /// X86_BUS_LOCK_EXIT: bus locks can exit to the VMM.
  public static let busLockExit = Capability(rawValue: 193)
  /// X86_NOTIFY_VMEXIT: a guest that keeps the CPU to itself can be made to exit.
  public static let notifyVMExit = Capability(rawValue: 219)
  /// COALESCED_PIO: port writes can be batched in a ring.
  public static let coalescedPIO = Capability(rawValue: 162)
  /// COALESCED_MMIO: MMIO writes can be batched in a ring; the value is the ring's page.
  public static let coalescedMMIO = Capability(rawValue: 15)
  /// HALT_POLL: halt polling can be set for each VM.
  public static let haltPoll = Capability(rawValue: 182)

  // Registers, model-specific and other.
  /// X86_USER_SPACE_MSR: MSR accesses can exit to the VMM, for which reasons as a bit mask.
  public static let userSpaceMSR = Capability(rawValue: 188)
  /// X86_MSR_FILTER: KVM_X86_SET_MSR_FILTER exists.
  public static let msrFilter = Capability(rawValue: 189)
  /// GET_MSR_FEATURES: feature MSRs can be read on the system descriptor.
  public static let getMSRFeatures = Capability(rawValue: 153)
  /// MSR_PLATFORM_INFO: the guest's reading of MSR_PLATFORM_INFO can be turned off.
  public static let msrPlatformInfo = Capability(rawValue: 159)
  /// EXT_CPUID: KVM_GET_SUPPORTED_CPUID exists.
  public static let extendedCPUID = Capability(rawValue: 7)
  /// EXT_EMUL_CPUID: KVM_GET_EMULATED_CPUID exists.
  public static let emulatedCPUID = Capability(rawValue: 95)
  /// ENFORCE_PV_FEATURE_CPUID: paravirtual features can be held to what CPUID shows.
  public static let enforcePVFeatureCPUID = Capability(rawValue: 190)
  /// NESTED_STATE: nested guests can be saved; the value is the size in bytes.
  public static let nestedState = Capability(rawValue: 157)
  /// DEBUGREGS: KVM_GET_DEBUGREGS exists.
  public static let debugRegisters = Capability(rawValue: 50)
  /// XSAVE: KVM_GET_XSAVE exists.
  public static let xsave = Capability(rawValue: 55)
  /// XSAVE2: KVM_GET_XSAVE2 exists; the value is the size in bytes.
  public static let xsave2 = Capability(rawValue: 208)
  /// XCRS: KVM_GET_XCRS exists.
  public static let xcrs = Capability(rawValue: 56)
  /// SREGS2: KVM_GET_SREGS2 exists.
  public static let sregs2 = Capability(rawValue: 200)
  /// VCPU_EVENTS: KVM_GET_VCPU_EVENTS exists.
  public static let vcpuEvents = Capability(rawValue: 41)
  /// SET_GUEST_DEBUG: KVM_SET_GUEST_DEBUG exists.
  public static let setGuestDebug = Capability(rawValue: 23)
  /// SET_GUEST_DEBUG2: which KVM_SET_GUEST_DEBUG flags there are, as a bit mask.
  public static let setGuestDebug2 = Capability(rawValue: 195)
  /// DISABLE_QUIRKS2: which quirks can be turned off, as a bit mask.
  public static let disableQuirks2 = Capability(rawValue: 213)
  /// X86_SMM: system management mode is emulated.
  public static let smm = Capability(rawValue: 117)
  /// X2APIC_API: x2APIC identifiers of 32 bits.
  public static let x2APICAPI = Capability(rawValue: 129)
  /// X86_GUEST_MODE: kvm_run says whether the guest was running a guest of its own.
  public static let guestMode = Capability(rawValue: 238)

  // Clocks.
  /// TSC_CONTROL: KVM_SET_TSC_KHZ can differ from the host.
  public static let tscControl = Capability(rawValue: 60)
  /// GET_TSC_KHZ: KVM_GET_TSC_KHZ exists.
  public static let getTSCKHz = Capability(rawValue: 61)
  /// VM_TSC_CONTROL: the TSC frequency can be set for a whole VM.
  public static let vmTSCControl = Capability(rawValue: 214)
  /// TSC_DEADLINE_TIMER: the local APIC timer has TSC-deadline mode.
  public static let tscDeadlineTimer = Capability(rawValue: 72)
  /// ADJUST_CLOCK: KVM_GET_CLOCK exists; the value is its flags.
  public static let adjustClock = Capability(rawValue: 39)

  // Events and figures from outside the run loop.
  /// IRQFD: an eventfd can raise an interrupt.
  public static let irqfd = Capability(rawValue: 32)
  /// IOEVENTFD: a guest's write can signal an eventfd without an exit to the VMM.
  public static let ioeventfd = Capability(rawValue: 36)
  /// BINARY_STATS_FD: KVM_GET_STATS_FD exists.
  public static let binaryStatistics = Capability(rawValue: 203)
  /// SYS_ATTRIBUTES: KVM_GET_DEVICE_ATTR works on the system descriptor.
  public static let systemAttributes = Capability(rawValue: 209)
  /// DIRTY_LOG_RING: dirty pages can be told in a ring; the value is its size in bytes.
  public static let dirtyLogRing = Capability(rawValue: 192)
  /// MANUAL_DIRTY_LOG_PROTECT2: KVM_CLEAR_DIRTY_LOG exists.
  public static let manualDirtyLogProtect2 = Capability(rawValue: 168)
  /// PMU_CAPABILITY: the virtual PMU can be turned off.
  public static let pmuCapability = Capability(rawValue: 212)
  /// PMU_EVENT_FILTER: KVM_SET_PMU_EVENT_FILTER exists.
  public static let pmuEventFilter = Capability(rawValue: 173)
}
