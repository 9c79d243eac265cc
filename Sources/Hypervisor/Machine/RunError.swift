// How a run can fail, each with what a person needs to find the cause.
// Facts: KVM API document, section 5 (KVM_EXIT_SHUTDOWN, FAIL_ENTRY, INTERNAL_ERROR).

public import CKVM

/// A run that failed.
public enum RunError: Error, Sendable {
  /// A call into KVM failed.
  case kvm(KVMError)
  /// The guest faulted while it delivered a double fault (KVM_EXIT_SHUTDOWN).
  case tripleFault(GuestState)
  /// KVM cannot emulate an instruction of the guest.
  case emulationFailure(InternalError, GuestState)
  /// KVM gave up on the guest for another reason.
  case internalError(InternalError, GuestState)
  /// The hardware refused to enter the guest: its state is not valid.
  case failedEntry(hardwareReason: UInt64, GuestState)
  /// The guest exited in a way that has no answer.
  case unanswered(ExitDetail, GuestState)
  /// The policy failed at an entry or exit.
  case policy(PolicyError)
}

/// Where a guest stood when its run failed.
public struct GuestState: Sendable {
  public let registers: kvm_regs
  public let specialRegisters: kvm_sregs
  /// The bytes at RIP, as many as are mapped, at most 16.
  public let instructionBytes: [UInt8]
}

extension GuestState: CustomStringConvertible {
  /// The place, the bytes there, the registers: three lines.
  public var description: String {
    let bytes = instructionBytes.map { $0.hexDigits(2) }.joined(separator: " ")
    let r = registers
    let s = specialRegisters
    return """
      at rip \(r.rip.hex) (cs \(s.cs.selector.hex), CPL \(s.cs.selector & 3)), bytes there: \
      \(bytes.isEmpty ? "not readable" : bytes)
        rax \(r.rax.hex) rbx \(r.rbx.hex) rcx \(r.rcx.hex) rdx \(r.rdx.hex) rsi \(r.rsi.hex) rdi \(r.rdi.hex) \
      rsp \(r.rsp.hex) rbp \(r.rbp.hex)
        rflags \(r.rflags.hex) cr0 \(s.cr0.hex) cr2 \(s.cr2.hex) cr3 \(s.cr3.hex) cr4 \(s.cr4.hex) \
      efer \(s.efer.hex)
      """
  }
}

extension RunError: CustomStringConvertible {
  /// What happened and where, in one line without the registers.
  public var summary: String {
    description.split(separator: "\n", maxSplits: 1).first.map(String.init) ?? description
  }

  public var description: String {
    switch self {
    case .kvm(let error): "\(error)"
    case .tripleFault(let state): "the guest ended with a triple fault \(state)"
    case .emulationFailure(let error, let state), .internalError(let error, let state):
      "\(error) (KVM_EXIT_INTERNAL_ERROR) \(state)"
    case .failedEntry(let reason, let state):
      "the hardware refused to enter the guest (KVM_EXIT_FAIL_ENTRY, reason \(reason.hex)) \(state)"
    case .unanswered(.common(let exit), let state):
      "the guest did something that Spectrap does not handle: \(exit) \(state)"
    case .unanswered(let exit, let state): "the guest did something that Spectrap does not handle: \(exit) \(state)"
    case .policy(let error): "\(error)"
    }
  }
}
