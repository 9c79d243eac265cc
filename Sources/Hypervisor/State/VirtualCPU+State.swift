// Taking a vCPU's state, and giving it to another. Everything that is set is read back: KVM's success proves nothing.
// Facts: see VirtualCPUState; Linux arch/x86/kvm/x86.c (msrs_to_save, emulated_msrs: what KVM's list holds).

import CKVM

extension ABIBytes {
  /// A `kvm_sregs` with the accessed bit set in each segment's type: KVM on VMX sets it in every segment that it is
  /// given, unusable ones too (vmx_set_segment), where it means nothing.
  fileprivate var withAccessedSegments: ABIBytes {
    var value = kvm_sregs()
    guard copy(to: &value) else { return self }
    for segment in [\kvm_sregs.cs, \.ds, \.es, \.fs, \.gs, \.ss] { value[keyPath: segment].type |= 1 }
    return ABIBytes(of: value)
  }
}

extension ABIBytes {
  /// A `kvm_vcpu_events` without the mark of a pending exception, which KVM reports as injected as well and does not
  /// take back, unless a VMM asks for payloads (KVM API document, section 4.31, KVM_CAP_EXCEPTION_PAYLOAD); this one
  /// does not.
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
  /// The state, with those of these MSRs that KVM reads.
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

  /// Gives a vCPU that has not run the state of another, but for the MSRs in `omitted`; its clock gets the state's rate
  /// where KVM scales it.
  ///
  /// Its CPUID must have been set.
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

  /// Nil where KVM has none.
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

  /// Reads everything back.
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

  /// The values of those MSRs that KVM reads for this vCPU.
  ///
  /// - Throws: `KVMError` when KVM fails to read one that it may have.
  private func readable(_ msrs: [MSR]) throws(KVMError) -> [MSREntry] {
    var entries: [MSREntry] = []
    for msr in msrs {
      guard let value = try held(msr), !msr.isUnlisted(withResetValue: value) else { continue }
      entries.append(MSREntry(msr, value))
    }
    return entries
  }

  /// The value of an MSR, nil where KVM does not have it.
  private func held(_ msr: MSR) throws(KVMError) -> UInt64? {
    do { return try readIfPresent(msr) } catch { throw error.kvmError }
  }

  /// Writes an MSR; whether the vCPU holds the value is to be read back.
  private mutating func put(_ msr: MSR, _ value: UInt64) throws(KVMError) {
    do { _ = try writeIfTaken(msr, value) } catch { throw error.kvmError }
  }

  /// Writes the MSRs whose value is not what the vCPU has anyway, and reads them back.
  ///
  /// One that this KVM does not have and that is 0 is left out: no guest has used it.
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

  /// Has the time-stamp counter run at the state's rate.
  ///
  /// Only for a KVM that scales it. Another takes a higher rate all the same, makes up for it at exits, and reports it
  /// (kvm_set_tsc_khz); there the guest goes on at the host's own: what it has measured of its clock is then wrong, as
  /// on any host that cannot (KVM API document, section 4.55).
  private func setRate(of state: VirtualCPUState) throws(VirtualCPUStateError) {
    do throws(KVMError) {
      guard let kilohertz = state.tscKilohertz, (1...Int(Int32.max)).contains(kilohertz),
        kilohertz != (try tscFrequency())
      else { return }
      _ = try takesTSCFrequency(kilohertz)
    } catch { throw .kvm(error) }
  }

  /// Has the time-stamp counter go on from a value; no where it stands before it then.
  ///
  /// KVM takes a write that is less than a second of the clock away from what it expects for an attempt to synchronise
  /// vCPUs, and drops its value (kvm_synchronize_tsc, until Linux 6.7 for the first write, too): so the clock is first
  /// set far away. A KVM whose guests have the host's clock (kvm_pvm) drops both.
  private mutating func setClock(to value: UInt64) throws(KVMError) -> Bool {
    try put(.timeStampCounter, value &+ 1 << 40)
    try put(.timeStampCounter, value)
    return (try held(.timeStampCounter) ?? 0) >= value
  }
}
