// Saving a vCPU's state, and restoring it into another. Everything that is set is read back, because KVM may report
// success and drop a value.
// Facts: see VirtualCPUState; Linux arch/x86/kvm/x86.c (msrs_to_save, emulated_msrs: what KVM's list holds).

import CKVM

extension ABIBytes {
  /// A `kvm_sregs` with the accessed bit set in each segment's type: KVM on VMX sets it in every segment, also in
  /// unusable ones, where it means nothing (vmx_set_segment).
  fileprivate var withAccessedSegments: ABIBytes {
    var value = kvm_sregs()
    guard copy(to: &value) else { return self }
    for segment in [\kvm_sregs.cs, \.ds, \.es, \.fs, \.gs, \.ss] { value[keyPath: segment].type |= 1 }
    return ABIBytes(of: value)
  }
}

extension ABIBytes {
  /// A `kvm_vcpu_events` without the pending mark: without KVM_CAP_EXCEPTION_PAYLOAD, KVM reports a pending exception
  /// as injected as well, and does not restore the mark (KVM API document, section 4.31).
  fileprivate var withoutPendingMark: ABIBytes {
    var value = kvm_vcpu_events()
    guard copy(to: &value) else { return self }
    value.exception.pending = 0
    return ABIBytes(of: value)
  }
}

/// `kvm_xsave` without its flexible end.
private typealias XSAVEArea = [1024 of UInt32]

extension VirtualCPU {
  /// The state, with those of the given MSRs that KVM can read.
  ///
  /// Finish the last exit first (`completeExit`).
  ///
  /// - Throws: `VirtualCPUStateError.kvm` when KVM refuses.
  public func state(with msrs: [MSR]) throws(VirtualCPUStateError) -> VirtualCPUState {
    do throws(KVMError) {
      return VirtualCPUState(
        registers: try get(.getRegisters, kvm_regs()), specialRegisters: try get(.getSpecialRegisters, kvm_sregs()),
        xsave: try get(.getXSAVE, XSAVEArea(repeating: 0)), extendedControlRegisters: try extendedControlRegisters(),
        debugRegisters: try get(.getDebugRegisters, kvm_debugregs()),
        multiprocessorState: try get(.getMPState, kvm_mp_state()), events: try get(.getEvents, kvm_vcpu_events()),
        msrs: try readable(msrs), tscKilohertz: try tscFrequency())
    } catch { throw .kvm(error) }
  }

  /// Restores the state of another vCPU, except the MSRs in `omitted`; sets the clock's rate if `scalingClock`.
  ///
  /// This vCPU must have its CPUID and must not have run.
  ///
  /// - Throws: `VirtualCPUStateError` with what KVM on this host refuses or does not hold.
  mutating func restore(
    _ state: VirtualCPUState, omitting omitted: Set<MSR>, scalingClock: Bool
  ) throws(VirtualCPUStateError) {
    try set(.setSpecialRegisters, state.specialRegisters, kvm_sregs(), "special registers")
    try set(.setRegisters, state.registers, kvm_regs(), "registers")
    if let registers = state.extendedControlRegisters {
      try set(.setXCRs, registers, kvm_xcrs(), "extended control registers")
    }
    try set(.setXSAVE, state.xsave, XSAVEArea(repeating: 0), "floating-point and vector registers")
    try set(.setDebugRegisters, state.debugRegisters, kvm_debugregs(), "debug registers")
    if scalingClock { try setRate(of: state) }
    try restore(state.msrs.filter { !omitted.contains($0.msr) })
    try set(.setMPState, state.multiprocessorState, kvm_mp_state(), "MP state")
    try set(.setEvents, state.events, kvm_vcpu_events(), "pending events")
    try verify(state)
  }

  // MARK: Structures

  private func get<T: BitwiseCopyable>(_ request: Request, _ empty: T) throws(KVMError) -> ABIBytes {
    var value = empty
    try descriptor.request(request, &value)
    return ABIBytes(of: value)
  }

  /// Nil if KVM has none.
  private func extendedControlRegisters() throws(KVMError) -> ABIBytes? {
    do { return try get(.getXCRs, kvm_xcrs()) } catch { return try error.absent() }
  }

  private mutating func set<T: BitwiseCopyable>(
    _ request: Request, _ bytes: ABIBytes, _ empty: T, _ name: String
  ) throws(VirtualCPUStateError) {
    var value = empty
    guard bytes.copy(to: &value) else { throw .size(name) }
    do { try descriptor.request(request, &value) } catch { throw .kvm(error) }
  }

  /// Compares everything that was set with what KVM holds.
  private func verify(_ wanted: VirtualCPUState) throws(VirtualCPUStateError) {
    let held = try state(with: [])
    for (name, held, wanted) in [
      ("registers", held.registers, wanted.registers),
      ("special registers", held.specialRegisters.withAccessedSegments, wanted.specialRegisters.withAccessedSegments),
      ("extended control registers", held.extendedControlRegisters, wanted.extendedControlRegisters),
      ("floating-point and vector registers", held.xsave, wanted.xsave),
      ("debug registers", held.debugRegisters, wanted.debugRegisters),
      ("MP state", held.multiprocessorState, wanted.multiprocessorState),
      ("pending events", held.events.withoutPendingMark, wanted.events.withoutPendingMark),
    ] as [(String, ABIBytes?, ABIBytes?)] where held != wanted {
      let differences = zip(held?.bytes ?? [], wanted?.bytes ?? []).enumerated().filter { $1.0 != $1.1 }
      let places = differences.prefix(8).map {
        "byte \($0): \($1.0.hex) for \($1.1.hex)"
      }
      throw .notHeld("\(name) (\(places.joined(separator: ", ")))")
    }
  }

  // MARK: MSRs

  /// The values of those MSRs that KVM can read for this vCPU.
  ///
  /// - Throws: `KVMError` when KVM fails.
  private func readable(_ msrs: [MSR]) throws(KVMError) -> [MSREntry] {
    var entries: [MSREntry] = []
    for msr in msrs {
      guard let value = try held(msr), !msr.isUnlisted(withResetValue: value) else { continue }
      entries.append(MSREntry(msr, value))
    }
    return entries
  }

  /// The value of an MSR; nil if KVM does not have it.
  private func held(_ msr: MSR) throws(KVMError) -> UInt64? {
    do { return try readIfPresent(msr) } catch { throw error.kvmError }
  }

  /// Writes an MSR, which the caller reads back.
  private mutating func put(_ msr: MSR, _ value: UInt64) throws(KVMError) {
    do { _ = try writeIfTaken(msr, value) } catch { throw error.kvmError }
  }

  /// Writes the MSRs whose value differs, and reads them back.
  ///
  /// An MSR that this KVM does not have is left out if its value is 0: the guest has not used it.
  ///
  /// - Throws: `VirtualCPUStateError.msrs` with all that are not held, and `VirtualCPUStateError.kvm` when KVM fails.
  private mutating func restore(_ entries: [MSREntry]) throws(VirtualCPUStateError) {
    var refused: [MSREntry] = []
    do throws(KVMError) {
      for entry in entries {
        if entry.msr == .timeStampCounter {
          if try !setClock(to: entry.value) { refused.append(entry) }
          continue
        }
        let before = try held(entry.msr)
        if before == entry.value || before == nil && entry.value == 0 { continue }
        try put(entry.msr, entry.value)
        if try held(entry.msr) != entry.value { refused.append(entry) }
      }
    } catch { throw .kvm(error) }
    guard refused.isEmpty else { throw .msrs(refused) }
  }

  /// Sets the time-stamp counter to the state's rate.
  ///
  /// Only for a KVM that scales it. Any other accepts a higher rate, catches up at exits, and reports it
  /// (kvm_set_tsc_khz); there the guest continues at the host's rate, and what it has measured of its clock is wrong
  /// (KVM API document, section 4.55).
  private func setRate(of state: VirtualCPUState) throws(VirtualCPUStateError) {
    do throws(KVMError) {
      guard let kilohertz = state.tscKilohertz, (1...Int(Int32.max)).contains(kilohertz),
        kilohertz != (try tscFrequency())
      else { return }
      _ = try setTSCFrequency(kilohertz)
    } catch { throw .kvm(error) }
  }

  /// Sets the time-stamp counter to a value; returns false if it is lower afterwards.
  ///
  /// If a write is less than a second of the clock away from the expected value, KVM synchronises vCPUs instead and
  /// drops the value (kvm_synchronize_tsc, until Linux 6.7 also for the first write). So the clock is first set far
  /// away. A KVM whose guests have the host's clock (kvm_pvm) drops both writes.
  private mutating func setClock(to value: UInt64) throws(KVMError) -> Bool {
    try put(.timeStampCounter, value &+ 1 << 40)
    try put(.timeStampCounter, value)
    return (try held(.timeStampCounter) ?? 0) >= value
  }
}
