// The state of a vCPU outside the kernel: all that user space can read from KVM and set again, in the order of setting.
// Facts: KVM API document, sections 4.11 to 4.14 (registers), 4.18 and 4.19 (MSRs), 4.31 (events), 4.34 (debug
// registers), 4.38 (MP state), 4.42 to 4.45 (XSAVE, XCRs). It has no local APIC: a guest with interrupt controllers
// cannot be saved.

import CKVM

/// The state of a vCPU: registers, MSRs, floating-point and vector state, pending events.
public struct VirtualCPUState: Codable, Equatable, Sendable {
  /// `kvm_regs`.
  var registers: ABIBytes
  /// `kvm_sregs`.
  var specialRegisters: ABIBytes
  /// `kvm_xsave`: 4096 bytes, enough for everything except features that a VMM must enable (AMX); this one does not.
  var xsave: ABIBytes
  /// `kvm_xcrs`; nil if the processor has no XSAVE.
  var extendedControlRegisters: ABIBytes?
  /// `kvm_debugregs`.
  var debugRegisters: ABIBytes
  /// `kvm_mp_state`.
  var multiprocessorState: ABIBytes
  /// `kvm_vcpu_events`.
  var events: ABIBytes
  /// The MSRs of KVM's list that it can read, in its order.
  public internal(set) var msrs: [MSREntry]
  /// The rate of the guest's time-stamp counter; nil if KVM does not report it.
  public internal(set) var tscKilohertz: Int?
}

extension VirtualCPUState {
  /// RIP; 0 if the registers are not KVM's structure.
  public var rip: UInt64 {
    var value = kvm_regs()
    return registers.copy(to: &value) ? value.rip : 0
  }

  /// The value of an MSR; nil if the state does not have it.
  public func value(of msr: MSR) -> UInt64? { msrs.first { $0.msr == msr }?.value }
}

/// A state that could not be saved or restored.
public enum VirtualCPUStateError: Error, Equatable, Sendable {
  /// KVM refused a call.
  case kvm(KVMError)
  /// This structure has another size than KVM's on this host.
  case size(String)
  /// KVM accepted the structure and holds another value.
  case notHeld(String)
  /// KVM does not read the MSR that the policy is about.
  case unreadable(MSR)
  /// MSRs that KVM on this host refuses to set, or does not hold, each with the value that it should have.
  case msrs([MSREntry])
  /// The guest would be told something else than before: the difference, as text.
  case contract(String)
  /// The last exit cannot be finished without running the guest: it led to another.
  case pending(Exit)
  /// The machine has KVM's interrupt controllers, whose state a snapshot does not hold.
  case interruptControllers
}

extension VirtualCPUStateError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .kvm(let error): "\(error)"
    case .size(let what): "the \(what) have another size than this KVM's"
    case .notHeld(let what): "KVM on this host accepted the \(what) but holds something else"
    case .unreadable(let msr): "KVM does not read \(msr) (\(msr.hex)), so its value in the guest is unknown"
    case .msrs(let entries):
      "KVM on this host does not hold "
        + entries.map { "\($0.msr) (\($0.msr.hex)) = \($0.value.hex)" }.joined(separator: ", ")
    case .contract(let difference): "the guest would be told something else here than before: \(difference)"
    case .pending(let exit): "the guest's last exit is not finished: it led to \(exit)"
    case .interruptControllers:
      "this guest has KVM's interrupt controllers and timer (KVM_CREATE_IRQCHIP), whose state a snapshot does not hold: "
        + "it cannot be saved or moved"
    }
  }
}
