// Proving that a guest on this host has an MSR. Asking KVM proves nothing: KVM_SET_MSRS reports success where the value
// is dropped (kvm_pvm does so with SPEC_CTRL), and keeps a value for a register that the guest's own WRMSR faults on
// (kvm_amd in Linux 6.1 does so where the processor has no SPEC_CTRL). So a small guest writes it, and KVM reads it
// back. An MSR that only takes writes (IA32_PRED_CMD) cannot be read back. There the guest's write without a #GP is all
// the proof that can be had; it is worth something only where a write of an MSR that no processor has does raise one.
// Facts: KVM API document, sections 4.18 and 4.19; Intel SDM vol. 2 (WRMSR).

import GuestImages
public import Hypervisor

extension RegisterProof {
  /// Proves it on a VM made for that, with all of the CPUID that KVM offers.
  ///
  /// - Throws: `KVMError`, `MSRAccessError` or `GuestMemoryError` when KVM fails at that: then nothing is proved.
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

  /// A number that no processor has: what is accepted there is ignored.
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
    /// It did not get as far as that: the exit or the exception that it ended with, in words.
    case lost(String)
  }

  /// A vCPU in the mode that the guest starts in, so that its registers hold what they will hold then.
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
    try vm.load(image, orders: [1])
    var exit = try cpu.run()
    while exit == .interrupted { exit = try cpu.run() }
    guard case .portOut(let access) = exit, access.port == UInt16(Port.doorbell) else { return .lost("\(exit)") }
    guard let fault = try vm.mailbox().fault else { return .done }
    return fault.vector == 13 && fault.rip == image.labels[.registerProof] ? .faulted : .lost("\(fault)")
  }
}
