// A machine: a VM with one vCPU under a policy, and the loop that runs it.
// Facts: KVM API document, section 4.10 (KVM_RUN).

import CKVM
import SystemPackage

/// A VM with one vCPU, run under a policy.
///
/// The loop is specialised for the policy, so that an exit costs no dynamic call and no allocation.
public struct Machine<P: Policy & ~Copyable>: ~Copyable {
  // The vCPU stands first: it goes first, and the VM need not remove its memory slots then.
  @usableFromInline var cpu: VirtualCPU
  public var vm: VirtualMachine
  @usableFromInline var policy: P
  @usableFromInline var exitCounters: ExitCounters
  /// The contract that was requested of KVM.
  public let requestedContract: GuestContract
  /// What the guest is told, read back from KVM.
  public let contract: GuestContract

  /// How the policy protects the guest on this host.
  public let protection: Protection
  /// What the machine was made with besides its vCPU.
  public let hardware: MachineHardware

  /// Makes a machine under a policy that this host can honour.
  ///
  /// - Parameters:
  ///   - policy: What happens when the guest accesses the MSR.
  ///   - terms: What was proved of the host, and what is accepted: a policy that protects nothing here, or a contract
  ///     with an IBRS_ALL that the host does not have, is refused unless `Terms.acceptsNoProtection`.
  ///   - given: What to tell the guest; by default what the policy makes of KVM's offer.
  ///   - hardware: What it has besides a vCPU; by default no memory either.
  /// - Throws: `PolicyError.refused` when this host cannot honour the policy, and `PolicyError.unprotected` when no
  ///   protection is not accepted; `KVMError`, `GuestMemoryError`, `MSRFilterError`, `MSRAccessError` or another
  ///   `PolicyError` when KVM or the policy fails.
  public init(
    on kvm: borrowing KVM, policy: consuming P, terms: Terms, contract given: GuestContract? = nil,
    hardware: MachineHardware = .bare
  ) throws {
    var policy = policy
    let host = terms.abilities
    guard host.subject == policy.subject else {
      throw PolicyError.refused(
        policy: P.name, reason: "its MSR is \(policy.subject), but the host's proofs are about \(host.subject)")
    }
    _ = try policy.protection(on: terms)
    try policy.settle(on: terms)
    let protection = try policy.protection(on: terms)
    let requested: GuestContract
    if let given { requested = given } else { requested = policy.contract(from: try GuestContract(offeredBy: kvm)) }
    if !terms.acceptsNoProtection {
      guard protection.level != .none else {
        throw PolicyError.unprotected(policy: P.name, reason: protection.reason)
      }
      guard host.hasIBRSAll || !requested.tellsIBRSAll else {
        throw PolicyError.unprotected(
          policy: P.name, reason: "the guest would be told IBRS_ALL, which this host does not have")
      }
    }
    try self.init(
      unproved: policy, on: kvm, protection: protection, contract: requested, hardware: hardware)
  }

  /// Makes a machine under a policy without any proof, for guests that do not test the policy.
  package init(
    unproved policy: consuming P, on kvm: borrowing KVM,
    protection: Protection = Protection(.none, "nothing was proved"),
    contract given: GuestContract? = nil, hardware: MachineHardware = .bare
  ) throws {
    var vm = try kvm.makeVM()
    let intercepts = policy.intercepts
    var reasons: MSRExitReasons = hardware.countsUnservedMSRs ? [.unknown, .invalid] : []
    if !intercepts.isEmpty { reasons.insert(.filter) }
    if !reasons.isEmpty { try vm.enableMSRExits(reasons) }
    if !intercepts.isEmpty { try vm.setMSRFilter(.denying(intercepts)) }
    if hardware.memory > 0 { try vm.addMemory(at: 0, count: hardware.memory) }
    // KVM refuses interrupt controllers once there is a vCPU.
    try vm.make(hardware.interrupts)
    var cpu = try vm.makeVCPU()
    let requested: GuestContract
    if let given { requested = given } else { requested = policy.contract(from: try GuestContract(offeredBy: kvm)) }
    try cpu.setCPUID(requested.cpuid)
    // KVM refuses the write if this guest has no such register (Linux 6.15 and later on AMD). What the guest is told is
    // read back below.
    _ = try cpu.writeIfTaken(.archCapabilities, requested.archCapabilities.rawValue)
    policy.accept(requested)
    try policy.prepare(&cpu)
    contract = GuestContract(
      cpuid: try cpu.cpuid(),
      archCapabilities: ArchCapabilities(rawValue: try cpu.readIfPresent(.archCapabilities) ?? 0))
    exitCounters = ExitCounters(subject: policy.subject)
    requestedContract = requested
    self.protection = protection
    self.hardware = hardware
    self.vm = vm
    self.cpu = cpu
    self.policy = policy
  }

  /// How a run ended, if it did not fail.
  public enum End: Equatable, Sendable {
    /// By the handler.
    case finished
    /// By the control; the counters hold what was done until then.
    case stopped(RunControl.Stop)
  }

  /// Runs the guest until the handler or the control ends it.
  ///
  /// - Throws: `RunError` when the guest, KVM or the policy fails.
  @inlinable public mutating func run<H: ExitHandler & ~Copyable, O: ExitObserver & ~Copyable>(
    _ handler: inout H, observer: inout O, control: RunControl
  ) throws(RunError) -> End {
    // Safe: the vCPU's kvm_run exists until after `end()`.
    do { try unsafe control.begin(setting: cpu.immediateExit) } catch { throw .kvm(error) }
    defer {
      control.end()
      unsafe cpu.immediateExit.pointee = 0
    }
    var end = try loop(&handler, &observer, control)
    var attempts = 1
    while end == .stopped(.paused), try mustRunOn(after: attempts) {
      control.pause(after: .milliseconds(1))
      end = try loop(&handler, &observer, control)
      attempts += 1
    }
    return end
  }

  /// The hot path, in a function of its own so that the compiler lays it out alone.
  @inlinable @inline(never) mutating func loop<H: ExitHandler & ~Copyable, O: ExitObserver & ~Copyable>(
    _ handler: inout H, _ observer: inout O, _ control: RunControl
  ) throws(RunError) -> End {
    // A local copy: one instruction less per exit than through the machine.
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
        // Cleared before `stop` is read, so that a kick in between is not lost.
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
  /// The vCPU, to read or change between runs.
  public var vcpu: VirtualCPU {
    _read { yield cpu }
    _modify { yield &cpu }
  }

  /// The exits so far.
  public var counters: ExitCounters { exitCounters }

  /// Subtracts an OUT that the VMM caused and not the guest's own work.
  public mutating func discountPortOut() { exitCounters.discountPortOut() }

  /// The policy with its state.
  public var currentPolicy: P {
    _read { yield policy }
    _modify { yield &policy }
  }

  /// The subject MSR as the guest would read it, and as the vCPU holds it.
  ///
  /// - Throws: `MSRAccessError` when KVM does not read it.
  public func subjectValue() throws(MSRAccessError) -> SubjectValue { try policy.subjectValue(in: cpu) }

  /// Whether a guest that was paused must run on for a moment before its state can be taken.
  ///
  /// Each entry delivers a pending exception, so one is still pending after 100 attempts only in a guest that raises
  /// one every time. A guest that raises none can look as if one were pending for ever.
  @usableFromInline func mustRunOn(after attempts: Int) throws(RunError) -> Bool {
    guard attempts < 100 else { return false }
    do { return try mayHavePendingSoftException() } catch { throw .kvm(error) }
  }

  /// Whether RIP stands in user mode behind an INT3 or INTO whose exception may be pending.
  ///
  /// KVM does not report a pending #BP or #OF (kvm_vcpu_ioctl_x86_get_vcpu_events), because the guest would execute the
  /// instruction again. Under kvm_pvm RIP is behind the instruction, so the exception would be missing from a state
  /// that is taken now.
  private func mayHavePendingSoftException() throws(KVMError) -> Bool {
    let special = try cpu.specialRegisters()
    guard special.cs.selector & 3 == 3 else { return false }
    let start = (special.cs.l == 0 ? special.cs.base : 0) &+ (try cpu.registers().rip)
    let last = try byte(atLinear: start &- 1)
    if last == 0xcc || last == 0xce { return true }
    return last == 3 ? try byte(atLinear: start &- 2) == 0xcd : false
  }

  /// The byte at a linear address of the guest; nil if its page tables do not map it to memory.
  private func byte(atLinear address: UInt64) throws(KVMError) -> UInt8? {
    guard let physical = try cpu.physicalAddress(ofLinear: address) else { return nil }
    do { return try vm.read(1, at: physical).first } catch { return nil }
  }

  /// Where the guest stands, for a message about a failure.
  public func guestState() -> GuestState {
    // What cannot be read stays zero.
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

  /// The error for an exit that has no answer.
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
