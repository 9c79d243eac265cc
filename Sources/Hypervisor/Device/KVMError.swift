// A call into KVM that failed, with a message that says what to do.
// Facts: KVM API document, "Return value" of each call; open(2), mmap(2).

public import CKVM
public import SystemPackage

/// A call into the kernel that failed: what was attempted, and the error number that came back.
public struct KVMError: Error, Equatable, Sendable {
  /// What was attempted.
  public enum Operation: Equatable, Sendable {
    /// Opening the device file.
    case open(FilePath)
    /// Mapping `bytes` bytes: guest memory, or a vCPU's kvm_run.
    case map(bytes: Int)
    /// Reading the binary statistics.
    case readStatistics
    /// A request to a KVM descriptor.
    case request(Request)
    /// Comparing KVM's API version, `found`, with the one this library is written for.
    case checkVersion(found: Int)
    /// Making a second descriptor of an open file.
    case duplicate
    /// Preparing the timer and the signal that end a run.
    case arm
  }

  public let operation: Operation
  public let code: Errno

  /// The error of an operation.
  public init(_ operation: Operation, _ code: Errno) {
    self.operation = operation
    self.code = code
  }
}

extension KVMError {
  /// Whether a resource is exhausted at the moment, so that the same call may succeed later.
  public var isShortage: Bool {
    switch code {
    case .noMemory, .resourceTemporarilyUnavailable, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noSpace,
      .noBufferSpace, .diskQuotaExceeded, .interrupted:
      true
    default: operation == .arm
    }
  }

  /// The failed kernel call that caused an error of this library; nil if none did.
  public init?(behind error: any Error) {
    switch error {
    case let error as KVMError: self = error
    case RunError.kvm(let error), GuestMemoryError.refused(let error), MSRAccessError.refused(let error),
      MSRFilterError.refused(let error), VirtualCPUStateError.kvm(let error):
      self = error
    case RunError.policy(let error): self.init(behind: error)
    case PolicyError.msr(let error): self.init(behind: error)
    case PolicyError.filter(let error): self.init(behind: error)
    default: return nil
    }
  }

  /// Returns nil if the error means that KVM lacks what was asked for: ENOTTY, EINVAL or `other`.
  ///
  /// - Throws: The error itself if it means anything else.
  func absent<T>(or other: Errno? = nil) throws(KVMError) -> T? {
    guard code == Errno(rawValue: ENOTTY) || code == .invalidArgument || code == other else { throw self }
    return nil
  }
}

extension KVMError: CustomStringConvertible {
  public var description: String {
    switch operation {
    case .open(let path):
      "\(path): \(code)\(Self.advice(code, about: path))"
    case .map(let bytes): "mapping \(bytes) bytes: \(code)"
    case .readStatistics: "reading KVM's statistics: \(code)"
    case .request(let request): "KVM refused \(request.name): \(code)\(Self.cause(of: request, code))"
    case .checkVersion(let found):
      "KVM has API version \(found), Spectrap needs version \(KVM_API_VERSION); use Linux 2.6.22 or later"
    case .duplicate: "making a second descriptor: \(code)"
    case .arm:
      "preparing the run's time limit: \(code)"
        + (code == .resourceTemporarilyUnavailable
          ? "; this user has reached the limit of pending signals, which timers count against (ulimit -i)" : "")
    }
  }

  /// The likely cause of an error number that the KVM API document does not list for a request: resource limits and
  /// system-call filters.
  private static func cause(of request: Request, _ code: Errno) -> String {
    switch (request, code) {
    // A VM's thread kvm-nx-lpage-recovery is made with the VM, and since Linux 6.13 at its first KVM_RUN
    // (arch/x86/kvm/mmu/mmu.c, kvm_mmu_post_init_vm; -ENOMEM until 6.15, whatever the reason).
    case (.createVM, .resourceTemporarilyUnavailable), (.run, .resourceTemporarilyUnavailable):
      "; KVM starts a thread for each VM, and this user or control group has reached its limit (ulimit -u, pids.max)"
    case (.run, .noMemory):
      "; memory is short or limited (memory.max, ulimit -v), or KVM cannot start a thread for the VM (ulimit -u, pids.max)"
    case (.run, .notPermitted): "; a seccomp filter or a security module may forbid it"
    default: ""
    }
  }

  private static func advice(_ code: Errno, about device: FilePath) -> String {
    switch code {
    case .permissionDenied, .notPermitted:
      "; \(DeviceAccess(to: device)?.advice ?? "run as root")"
    case .noSuchFileOrDirectory, .noSuchAddressOrDevice, .operationNotSupportedByDevice:
      "; load kvm_intel or kvm_amd, and enable VMX or SVM in the firmware"
    case .init(rawValue: ENOTTY), .isDirectory, .invalidArgument:
      "; this is not a KVM device"
    default: ""
    }
  }
}

extension Request {
  /// The request's name in the KVM API document, or its number where this library has no name for it.
  public var name: String {
    switch self {
    case .getAPIVersion: "KVM_GET_API_VERSION"
    case .createVM: "KVM_CREATE_VM"
    case .setTSSAddress: "KVM_SET_TSS_ADDR"
    case .checkExtension: "KVM_CHECK_EXTENSION"
    case .getVCPUMapSize: "KVM_GET_VCPU_MMAP_SIZE"
    case .getSupportedCPUID: "KVM_GET_SUPPORTED_CPUID"
    case .getMSRIndexList: "KVM_GET_MSR_INDEX_LIST"
    case .getMSRFeatureIndexList: "KVM_GET_MSR_FEATURE_INDEX_LIST"
    case .createVCPU: "KVM_CREATE_VCPU"
    case .createIRQChip: "KVM_CREATE_IRQCHIP"
    case .createPIT2: "KVM_CREATE_PIT2"
    case .irqLine: "KVM_IRQ_LINE"
    case .setUserMemoryRegion: "KVM_SET_USER_MEMORY_REGION"
    case .setMSRFilter: "KVM_X86_SET_MSR_FILTER"
    case .enableCapability: "KVM_ENABLE_CAP"
    case .getStatisticsDescriptor: "KVM_GET_STATS_FD"
    case .getTSCFrequency: "KVM_GET_TSC_KHZ"
    case .setTSCFrequency: "KVM_SET_TSC_KHZ"
    case .run: "KVM_RUN"
    case .getRegisters: "KVM_GET_REGS"
    case .setRegisters: "KVM_SET_REGS"
    case .getSpecialRegisters: "KVM_GET_SREGS"
    case .setSpecialRegisters: "KVM_SET_SREGS"
    case .translate: "KVM_TRANSLATE"
    case .getMSRs: "KVM_GET_MSRS"
    case .setMSRs: "KVM_SET_MSRS"
    case .setCPUID2: "KVM_SET_CPUID2"
    case .getCPUID2: "KVM_GET_CPUID2"
    case .getEvents: "KVM_GET_VCPU_EVENTS"
    case .setEvents: "KVM_SET_VCPU_EVENTS"
    case .getXSAVE: "KVM_GET_XSAVE"
    case .setXSAVE: "KVM_SET_XSAVE"
    case .getXCRs: "KVM_GET_XCRS"
    case .setXCRs: "KVM_SET_XCRS"
    case .getDebugRegisters: "KVM_GET_DEBUGREGS"
    case .setDebugRegisters: "KVM_SET_DEBUGREGS"
    case .getMPState: "KVM_GET_MP_STATE"
    case .setMPState: "KVM_SET_MP_STATE"
    case .getClock: "KVM_GET_CLOCK"
    case .setClock: "KVM_SET_CLOCK"
    case .getDirtyLog: "KVM_GET_DIRTY_LOG"
    default: "request \(rawValue.hex)"
    }
  }
}
