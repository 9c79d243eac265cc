// The state of a vCPU outside the kernel: all that KVM lets user space read and set again, in the order in which it is
// set.
// Facts: KVM API document, sections 4.11 to 4.14 (registers), 4.18 and 4.19 (MSRs), 4.31 (events), 4.34 (debug
// registers), 4.38 (MP state), 4.42 to 4.45 (XSAVE, XCRs). There is no local APIC in it: our VMs have no interrupt
// controller in the kernel.

import CKVM

/// The state of a vCPU: registers, MSRs, floating-point and vector state, pending events.
public struct VirtualCPUState: Codable, Equatable, Sendable {
  /// `kvm_regs`.
  var registers: ABIBytes
  /// `kvm_sregs`.
  var specialRegisters: ABIBytes
  /// `kvm_xsave`: 4096 bytes, which hold everything but the features that a VMM must ask for (AMX), and this one does
  /// not.
  var xsave: ABIBytes
  /// `kvm_xcrs`; nil where the processor has no XSAVE.
  var extendedControlRegisters: ABIBytes?
  /// `kvm_debugregs`.
  var debugRegisters: ABIBytes
  /// `kvm_mp_state`.
  var multiprocessorState: ABIBytes
  /// `kvm_vcpu_events`.
  var events: ABIBytes
  /// Those of KVM's list that it reads, in its order.
  public internal(set) var msrs: [MSREntry]
  /// The rate of the guest's time-stamp counter, nil where KVM does not tell.
  public internal(set) var tscKilohertz: Int?
}

extension VirtualCPUState {
  /// RIP; 0 where the registers are not the structure that KVM has.
  public var rip: UInt64 {
    var value = kvm_regs()
    return registers.copy(to: &value) ? value.rip : 0
  }

  /// The value of an MSR, nil where it is not in the state.
  public func value(of msr: MSR) -> UInt64? { msrs.first { $0.msr == msr }?.value }
}

/// A state that could not be taken, or that a vCPU did not take.
public enum VirtualCPUStateError: Error, Equatable, Sendable {
  /// KVM refused a call.
  case kvm(KVMError)
  /// The bytes of this structure are not as many as KVM's on this host.
  case size(String)
  /// KVM took the structure and holds another value.
  case notHeld(String)
  /// KVM does not read the MSR that the policy is about.
  case unreadable(MSR)
  /// MSRs that KVM on this host refuses to set, or does not hold, each with the value that it should have.
  case msrs([MSREntry])
  /// What the guest is told would differ from what it was told: how, in words.
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
    case .size(let what): "the \(what) are not as long as this KVM has them"
    case .notHeld(let what): "KVM on this host took the \(what) and holds others"
    case .unreadable(let msr): "KVM does not read \(msr) (\(msr.hex)), so that the guest's value of it is not known"
    case .msrs(let entries):
      "KVM on this host does not hold "
        + entries.map { "\($0.msr) (\($0.msr.hex)) = \($0.value.hex)" }.joined(separator: ", ")
    case .contract(let difference): "the guest would be told something else here than it was: \(difference)"
    case .pending(let exit): "the guest's last exit is not finished: it led to \(exit)"
    case .interruptControllers:
      "this guest has KVM's interrupt controllers and timer (KVM_CREATE_IRQCHIP), whose state a snapshot does not hold: it "
        + "cannot be put into a file or moved"
    }
  }
}
