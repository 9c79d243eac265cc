// A machine: a VM with one vCPU under a policy, and the loop that runs it.
// Facts: KVM API document, section 4.10 (KVM_RUN).

import CKVM
import SystemPackage

/// A VM with one vCPU, run under a policy.
///
/// The policy is a generic parameter, so that the loop is specialised for it: an exit costs no dynamic call and no
/// allocation.
public struct Machine<P: Policy & ~Copyable>: ~Copyable {
  public var vm: VirtualMachine
  @usableFromInline var cpu: VirtualCPU
  @usableFromInline var policy: P
  @usableFromInline var exitCounters: ExitCounters
  /// What KVM was asked to tell the guest.
  public let presented: GuestContract
  /// What the guest was told, read back from KVM.
  public let contract: GuestContract

  /// What the policy does for the guest's safety on this host.
  public let protection: Protection
  /// What KVM itself gives the machine beside its vCPU and memory.
  public let hardware: MachineHardware

  /// Makes a machine without memory under a policy that this host can honour; its guest is told the contract that is
  /// given, or else what the policy makes of KVM's offer.
  ///
  /// `terms` say what was proved of the host, by trying it before. A policy that protects nothing here, or a contract
  /// that tells the guest an IBRS_ALL which is not there, must be accepted.
  ///
  /// - Throws: `PolicyError.refused` when this host cannot honour the policy, and `PolicyError.unprotected` when nobody
  ///   has accepted that; `KVMError`, `MSRFilterError`, `MSRAccessError` or another `PolicyError` when KVM or the
  ///   policy fails.
  public init(
    on kvm: borrowing KVM, policy: consuming P, terms: Terms, acceptingNoProtection: Bool = false,
    presenting given: GuestContract? = nil, hardware: MachineHardware = .bare
  ) throws {
    var policy = policy
    let host = terms.abilities
    guard host.subject == policy.subject else {
      throw PolicyError.refused(
        policy: P.name, reason: "it is about \(policy.subject), and what was proved of the host about \(host.subject)")
    }
    _ = try policy.protection(on: terms)
    try policy.settle(on: terms)
    let protection = try policy.protection(on: terms)
    let presented: GuestContract
    if let given { presented = given } else { presented = policy.contract(from: try GuestContract(offeredBy: kvm)) }
    if !acceptingNoProtection {
      guard protection.level != .none else {
        throw PolicyError.unprotected(policy: P.name, reason: protection.reason)
      }
      guard host.hasIBRSAll || !presented.tellsIBRSAll else {
        throw PolicyError.unprotected(
          policy: P.name, reason: "the guest would be told IBRS_ALL, which this host does not have")
      }
    }
    try self.init(
      unproved: policy, on: kvm, protection: protection, presenting: presented, hardware: hardware)
  }

  /// Makes a machine under a policy as it stands, of which nothing was proved: for what is not about the policy.
  package init(
    unproved policy: consuming P, on kvm: borrowing KVM,
    protection: Protection = Protection(.none, "nothing was proved"),
    presenting given: GuestContract? = nil, hardware: MachineHardware = .bare
  ) throws {
    let vm = try kvm.makeVM()
    let intercepts = policy.intercepts
    var reasons: MSRExitReasons = hardware.countsUnservedMSRs ? [.unknown, .invalid] : []
    if !intercepts.isEmpty { reasons.insert(.filter) }
    if !reasons.isEmpty { try vm.enableMSRExits(reasons) }
    if !intercepts.isEmpty { try vm.setMSRFilter(.denying(intercepts)) }
    // KVM takes no interrupt controllers once there is a vCPU.
    try vm.make(hardware.interrupts)
    var cpu = try vm.makeVCPU()
    let presented: GuestContract
    if let given { presented = given } else { presented = policy.contract(from: try GuestContract(offeredBy: kvm)) }
    try cpu.setCPUID(presented.cpuid)
    // A KVM that does not give this guest the register refuses the write (Linux 6.15 and later do on AMD). What the
    // guest is told in the end is read back.
    _ = try cpu.writeIfTaken(.archCapabilities, presented.archCapabilities.rawValue)
    policy.accept(presented)
    try policy.prepare(&cpu)
    contract = GuestContract(
      cpuid: try cpu.cpuid(),
      archCapabilities: ArchCapabilities(rawValue: try cpu.readIfPresent(.archCapabilities) ?? 0))
    exitCounters = ExitCounters(subject: policy.subject)
    self.presented = presented
    self.protection = protection
    self.hardware = hardware
    self.vm = vm
    self.cpu = cpu
    self.policy = policy
  }

  /// How a run ended that did not fail.
  public enum End: Equatable, Sendable {
    /// The handler said so.
    case finished
    /// The control said so; the counters hold what was done until then.
    case stopped(RunControl.Stop)
  }

  /// Runs the guest until the handler or the control ends it.
  ///
  /// - Throws: `RunError` when the guest, KVM or the policy fails.
  @inlinable public mutating func run<H: ExitHandler & ~Copyable, O: ExitObserver & ~Copyable>(
    _ handler: inout H, observer: inout O, control: RunControl
  ) throws(RunError) -> End {
    // Safe: the vCPU's kvm_run is there until after `end()`.
    do { try unsafe control.begin(setting: cpu.immediateExit) } catch { throw .kvm(error) }
    defer {
      control.end()
      unsafe cpu.immediateExit.pointee = 0
    }
    var end = try loop(&handler, &observer, control)
    var attempts = 1
    while end == .stopped(.paused), try mustGoOn(after: attempts) {
      control.pause(after: .milliseconds(1))
      end = try loop(&handler, &observer, control)
      attempts += 1
    }
    return end
  }

  /// The hot path: a function of its own, so that the compiler lays it out alone.
  @inlinable @inline(never) mutating func loop<H: ExitHandler & ~Copyable, O: ExitObserver & ~Copyable>(
    _ handler: inout H, _ observer: inout O, _ control: RunControl
  ) throws(RunError) -> End {
    // Counted in the stack frame: one instruction less per exit than through the machine.
    var counters = exitCounters
    defer { exitCounters = counters }
    while true {
      do { try policy.willEnter(&cpu, of: vm) } catch { throw .policy(error) }
      observer.willEnter()
      let reason: UInt32
      do { reason = try cpu.enter() } catch { throw failure(error) }
      observer.didExit(reason)
      do { try policy.didExit(&cpu) } catch {
        cpu.refusePendingMSRAccess()
        throw .policy(error)
      }
      let exit = unsafe Exit(decoding: cpu.state, reason)
      observer.willAnswer(exit, of: cpu)

      let disposition: Disposition
      switch exit {
      case .writeMSR(let access):
        counters.countWrite(of: access.msr, subject: policy.subject)
        cpu.answer(policy.write(access.msr, access.value))
        continue
      case .readMSR(let access):
        counters.countRead(of: access.msr, subject: policy.subject)
        cpu.answer(policy.read(access.msr))
        continue
      case .portOut(let access):
        counters.portOuts &+= 1
        disposition = handler.portOut(access, from: cpu)
      case .portIn(let access):
        counters.portIns &+= 1
        disposition = handler.portIn(access, to: &cpu)
      case .halt:
        counters.halts &+= 1
        disposition = handler.halt()
      case .mmioWrite(let access):
        counters.mmioWrites &+= 1
        disposition = handler.mmioWrite(access)
      case .mmioRead(let access):
        counters.mmioReads &+= 1
        disposition = handler.mmioRead(access, to: &cpu)
      case .interrupted:
        counters.countInterruption()
        // Cleared before the question, so that a kick in between is not lost.
        unsafe cpu.immediateExit.pointee = 0
        if let stop = control.stop { return .stopped(stop) }
        continue
      case .other(let reason):
        counters.countOther(reason)
        disposition = .unanswered
      }
      switch disposition {
      case .resume: continue
      case .stop: return .finished
      case .unanswered: throw failure()
      }
    }
  }
}

extension Machine where P: ~Copyable {
  /// The vCPU, to look at or to change between runs.
  public var vcpu: VirtualCPU {
    _read { yield cpu }
    _modify { yield &cpu }
  }

  /// The exits so far.
  public var counters: ExitCounters { exitCounters }

  /// Takes back an OUT that was not the guest's own work but the VMM's doing.
  public mutating func discountPortOut() { exitCounters.discountPortOut() }

  /// The policy with its state.
  public var currentPolicy: P {
    _read { yield policy }
    _modify { yield &policy }
  }

  /// The subject MSR as the guest would read it, and as it stands in the vCPU, proved by reading.
  ///
  /// - Throws: `MSRAccessError` when KVM does not read it.
  public func subjectValue() throws(MSRAccessError) -> SubjectValue { try policy.subjectValue(in: cpu) }

  /// Whether a guest that was paused so often must go on for a moment before it can be taken away.
  ///
  /// Each entry delivers what is owed, so only a guest that raises such an exception every time can owe one after all
  /// of these; and a guest that never raises any can look as if it owed one for ever.
  @usableFromInline func mustGoOn(after attempts: Int) throws(RunError) -> Bool {
    guard attempts < 100 else { return false }
    do { return try mayOweSoftException() } catch { throw .kvm(error) }
  }

  /// Whether user mode stands behind an INT3 or INTO whose exception may still have to be delivered.
  ///
  /// KVM does not report a pending #BP or #OF (kvm_vcpu_ioctl_x86_get_vcpu_events), because the guest would execute the
  /// instruction again; under kvm_pvm RIP is behind it by then, and the exception would be lost with a guest that is
  /// taken away here.
  private func mayOweSoftException() throws(KVMError) -> Bool {
    let special = try cpu.specialRegisters()
    guard special.cs.selector & 3 == 3 else { return false }
    let start = (special.cs.l == 0 ? special.cs.base : 0) &+ (try cpu.registers().rip)
    let last = try byte(atLinear: start &- 1)
    if last == 0xcc || last == 0xce { return true }
    return last == 3 ? try byte(atLinear: start &- 2) == 0xcd : false
  }

  /// The byte at a linear address of the guest's; nil where its page tables lead to no memory.
  private func byte(atLinear address: UInt64) throws(KVMError) -> UInt8? {
    guard let physical = try cpu.physicalAddress(ofLinear: address) else { return nil }
    do { return try vm.read(1, at: physical).first } catch { return nil }
  }

  /// Where the guest stands now.
  public func guestState() -> GuestState {
    // What cannot be read stays zero: this is for a message about something that has failed already.
    let registers = (try? cpu.registers()) ?? .init()
    let special = (try? cpu.specialRegisters()) ?? .init()
    var bytes: [UInt8] = []
    for offset in 0..<16 as Range<UInt64> {
      let linear = (special.cs.l == 0 ? special.cs.base : 0) &+ registers.rip &+ offset
      guard let byte = try? byte(atLinear: linear) else { break }
      bytes.append(byte)
    }
    return GuestState(registers: registers, specialRegisters: special, instructionBytes: bytes)
  }

  /// The error for a KVM_RUN that failed.
  @usableFromInline func failure(_ error: KVMError) -> RunError {
    // Since Linux 6.8 a memory fault comes as an error with an exit behind it.
    if case .memoryFault = cpu.exitDetail, error.code == .badAddress {
      return .unanswered(cpu.exitDetail, guestState())
    }
    return .kvm(error)
  }

  /// The error for the exit that nobody answered.
  @usableFromInline func failure() -> RunError {
    switch cpu.exitDetail {
    case .shutdown: .tripleFault(guestState())
    case .internalError(let error) where error.isEmulationFailure: .emulationFailure(error, guestState())
    case .internalError(let error): .internalError(error, guestState())
    case .failEntry(let reason, _): .failedEntry(hardwareReason: reason, guestState())
    case let detail: .unanswered(detail, guestState())
    }
  }
}
