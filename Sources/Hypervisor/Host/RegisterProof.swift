// The proof that a vCPU on this host holds a value of an MSR. KVM_SET_MSRS reports success even where the value is dropped
// (the software KVM kvm_pvm does so with SPEC_CTRL), so a value is written to a scratch vCPU and read back.
// Facts: KVM API document, sections 4.18 and 4.19.

/// What became of a value that was written to an MSR of a scratch vCPU.
public enum RegisterProof: Equatable, Sendable {
  /// It read back: the register is there.
  case held(wrote: UInt64)
  /// KVM reported success, and another value read back.
  case dropped(wrote: UInt64, readBack: UInt64)
  /// KVM does not read the MSR.
  case unreadable
  /// KVM refused the value.
  case unwritable(UInt64)

  /// Whether the register is there.
  public var isHeld: Bool { if case .held = self { true } else { false } }

  /// Proves it on a vCPU made for that, with all of the CPUID that KVM offers.
  ///
  /// Throws `KVMError` when KVM cannot make one.
  public init(of msr: MSR, on kvm: borrowing KVM) throws(KVMError) {
    let vm = try kvm.makeVM()
    var cpu = try vm.makeVCPU()
    try cpu.setCPUID(try kvm.supportedCPUID())
    guard let before = try? cpu.read(msr) else {
      self = .unreadable
      return
    }
    // The lowest bit: IBRS in SPEC_CTRL, and legal in most MSRs that a guest's kernel owns.
    let wrote = before ^ 1
    guard (try? cpu.write(msr, wrote)) != nil else {
      self = .unwritable(wrote)
      return
    }
    let after = try? cpu.read(msr)
    self = after == wrote ? .held(wrote: wrote) : .dropped(wrote: wrote, readBack: after ?? before)
  }

  /// What was seen, in words.
  public var sentence: String {
    func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
    return switch self {
    case .held(let wrote): "\(hex(wrote)) was written to a scratch vCPU and read back"
    case .dropped(let wrote, let readBack):
      "\(hex(wrote)) was written to a scratch vCPU, and \(hex(readBack)) read back"
    case .unreadable: "it cannot be read on a scratch vCPU"
    case .unwritable(let wrote): "a scratch vCPU refuses \(hex(wrote))"
    }
  }

  /// Why a policy that leaves the register to the guest cannot run here, nil when it can.
  func refusal(of msr: MSR) -> String? {
    isHeld ? nil : "this KVM has no \(msr) (\(msr.hex)) for guests: \(sentence)"
  }
}
