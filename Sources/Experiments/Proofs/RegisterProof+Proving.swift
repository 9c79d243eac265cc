// Proves that a guest on this host has an MSR. KVM_SET_MSRS proves nothing: it may report success and drop the value
// (kvm_pvm with SPEC_CTRL), or keep a value for a register on which the guest's own WRMSR faults (kvm_amd in Linux 6.1
// where the processor has no SPEC_CTRL). So a small guest writes the MSR, and KVM reads it back. An MSR that only takes
// writes (IA32_PRED_CMD) cannot be read back. Its proof is that the guest's write raises no #GP, while a write of an
// MSR that no processor has does.
// Facts: KVM API document, sections 4.18 and 4.19; Intel SDM vol. 2 (WRMSR).

import GuestImages
public import Hypervisor

extension RegisterProof {
  /// Makes the proof on a new VM, with all of the CPUID that KVM offers.
  ///
  /// - Throws: `KVMError`, `MSRAccessError` or `GuestMemoryError` when KVM fails.
  public static func prove(_ msr: MSR, on kvm: borrowing KVM) throws -> RegisterProof {
    if msr.isCommand { return try proveCommand(msr, on: kvm) }
    var guest = try RegisterGuest(on: kvm)
    guard let before = try guest.cpu.readIfPresent(msr) else { return .unreadable }
    // The lowest bit: IBRS in SPEC_CTRL, and legal in most MSRs that a guest's kernel owns.
    let wrote = before ^ 1
    switch try guest.end(writing: wrote, to: msr) {
    case .done:
      let (after, again) = (try guest.cpu.readIfPresent(msr), try guest.cpu.readIfPresent(msr))
      if after != again { return .moving }
      return after == wrote ? .held(wrote: wrote) : .dropped(wrote: wrote, readBack: after ?? before)
    case .faulted: return .faulted(wrote: wrote)
    case .lost(let end): return .inconclusive(endedWith: end)
    }
  }

  /// An MSR that no processor has.
  ///
  /// Where its write raises no #GP, KVM ignores writes.
  private static let missing = MSR(0x474f_4f00)

  /// The proof of an MSR that only takes writes: its lowest bit is the command (IBPB, L1D_FLUSH).
  private static func proveCommand(_ msr: MSR, on kvm: borrowing KVM) throws -> RegisterProof {
    var guest = try RegisterGuest(on: kvm)
    switch try guest.end(writing: 1, to: msr) {
    case .done: break
    case .faulted: return .faulted(wrote: 1)
    case .lost(let end): return .inconclusive(endedWith: end)
    }
    var other = try RegisterGuest(on: kvm)
    if case .faulted = try other.end(writing: 1, to: missing) { return .accepted(wrote: 1) }
    return .ignored(wrote: 1)
  }
}

/// The guest that writes the MSR once.
private struct RegisterGuest: ~Copyable {
  var vm: VirtualMachine
  var cpu: VirtualCPU

  /// How it ended.
  enum End {
    case done
    /// The WRMSR raised #GP.
    case faulted
    /// It ended earlier: the exit or the exception, as text.
    case lost(String)
  }

  /// A vCPU in the mode in which the guest starts, so that its registers have their values at the start.
  init(on kvm: borrowing KVM) throws {
    let vm = try kvm.makeVM()
    var cpu = try vm.makeVCPU()
    try cpu.setCPUID(try kvm.supportedCPUID())
    try cpu.start(at: .kernel)
    self.vm = vm
    self.cpu = cpu
  }

  /// Runs it.
  mutating func end(writing value: UInt64, to msr: MSR) throws -> End {
    let image = try GuestImage(.registerProof(of: msr, writing: value), entry: .none)
    try vm.load(image, iterations: [1])
    var exit = try cpu.run()
    while exit == .interrupted { exit = try cpu.run() }
    guard case .portOut(let access) = exit, access.port == UInt16(Port.doorbell) else { return .lost("\(exit)") }
    guard let fault = try vm.mailbox().fault else { return .done }
    return fault.vector == 13 && fault.rip == image.labels[.registerProof] ? .faulted : .lost("\(fault)")
  }
}
