// The state of a machine except the contents of its memory, and restoring a machine from it.

/// The state of a machine: the contract with its guest, its vCPU, the policy's state, and the exits so far.
public struct MachineState: Codable, Equatable, Sendable {
  /// The contract that was requested of KVM.
  public let requestedContract: GuestContract
  /// What the guest is told, read back from KVM.
  public let contract: GuestContract
  public let cpu: VirtualCPUState
  /// The policy's MSR.
  public let subject: MSR
  /// What the guest reads of it, for the next policy; nil if it is write-only.
  public let subjectValue: UInt64?
  /// `Policy.state`; nil if the guest's next policy begins anew.
  public var policyState: [String: UInt64]?
  /// The VM's clock in nanoseconds, which KVM's paravirtual clocks show; nil if KVM does not report it.
  public var clock: UInt64?
  /// The guest's memory.
  public let memory: [GuestPhysicalRange]
  public var counters: ExitCounters

  private enum CodingKeys: String, CodingKey {
    case requestedContract = "presented", contract = "told"
    case cpu, subject, subjectValue, policyState, clock, memory, counters
  }
}

extension Machine where P: ~Copyable {
  /// Finishes the last exit and takes the state.
  ///
  /// - Throws: `VirtualCPUStateError` when KVM refuses, the exit cannot be finished without running the guest, or the
  ///   machine has interrupt controllers.
  public mutating func state(on kvm: borrowing KVM) throws(VirtualCPUStateError) -> MachineState {
    guard hardware.interrupts == .none else { throw .interruptControllers }
    do {
      if let exit = try cpu.completeExit() { throw VirtualCPUStateError.pending(exit) }
      let value = subjectIsReadable ? try policy.subjectValue(in: cpu).guest : nil
      return MachineState(
        requestedContract: requestedContract, contract: contract, cpu: try cpu.state(with: try kvm.stateMSRs()),
        subject: policy.subject, subjectValue: value, policyState: policy.state.isEmpty ? nil : policy.state,
        clock: try vm.clock(), memory: vm.memory(), counters: counters)
    } catch let error as VirtualCPUStateError {
      throw error
    } catch {
      if let error = KVMError(behind: error) { throw .kvm(error) }
      throw .unreadable(policy.subject)
    }
  }

  private var subjectIsReadable: Bool { !policy.subject.isCommand }

  /// Restores a state and its pages into a machine that was made with the state's `requestedContract` and has no memory
  /// yet; all other memory is zeroes.
  ///
  /// - Throws: `PolicyError` when the policy cannot take over; `GuestMemoryError` when the memory cannot be made;
  ///   `VirtualCPUStateError` with what KVM on this host refuses or does not hold, or when the guest would be told
  ///   something else than before.
  public mutating func restore(_ state: MachineState, _ pages: [GuestPage]) throws {
    if let difference = contract.difference(from: state.contract) { throw VirtualCPUStateError.contract(difference) }
    for range in state.memory { try vm.addMemory(at: range.start, count: range.count) }
    // Before the registers: with PAE paging, KVM reads the page-directory pointers from memory when CR3 is set.
    for page in pages { try vm.write(page) }
    if let clock = state.clock, try !vm.setClock(to: clock) {
      throw VirtualCPUStateError.notHeld("clock of \(clock) ns")
    }
    try cpu.restore(state.cpu, omitting: state.omittedMSRs, scalingClock: try vm.scalesClock())
    if let known = state.policyState { policy.adopt(known) }
    if let value = state.subjectValue, subjectIsReadable {
      try policy.adopt(value, &cpu)
      guard try subjectValue().guest == value else {
        throw VirtualCPUStateError.msrs([MSREntry(policy.subject, value)])
      }
    }
    exitCounters = state.counters
  }
}

extension MachineState {
  /// The MSRs that are not restored with the vCPU: the policy's, and those that the guest's CPUID does not announce.
  var omittedMSRs: Set<MSR> {
    Set(cpu.msrs.map(\.msr).filter { $0 == subject || !contract.cpuid.announces($0) })
  }
}

extension CPUIDModel {
  /// Whether this CPUID lets a guest know of an MSR; false for VMX's, Hyper-V's and IA32_PERF_CAPABILITIES without
  /// their features.
  fileprivate func announces(_ msr: MSR) -> Bool {
    // Intel SDM vol. 4, table 2-2: PDCM (CPUID.01H:ECX[15]) announces IA32_PERF_CAPABILITIES, and KVM refuses a value
    // without it (kvm_set_msr_common). Hyper-V TLFS: the synthetic MSRs, and leaf 4000_0001 with the interface's name
    // in EAX.
    switch msr {
    case MSR.vmxCapabilities: has(.vmx)
    case .perfCapabilities: (self[1]?.ecx ?? 0) >> 15 & 1 == 1
    case MSR(rawValue: 0x4000_0000)...MSR(rawValue: 0x4000_01ff): self[0x4000_0001]?.eax == 0x3123_7648
    default: true
    }
  }
}

extension GuestContract {
  /// How this contract differs from another, in a few words; nil if it does not.
  func difference(from other: GuestContract) -> String? {
    if archCapabilities != other.archCapabilities {
      return "IA32_ARCH_CAPABILITIES \(archCapabilities.rawValue.hex) instead of "
        + "\(other.archCapabilities.rawValue.hex)"
    }
    guard cpuid != other.cpuid else { return nil }
    let (more, less) = (cpuid.features, other.cpuid.features)
    let changed =
      less.filter { !more.contains($0) }.map { "without \($0.name)" }
      + more.filter { !less.contains($0) }.map { "with \($0.name)" }
    if !changed.isEmpty { return changed.joined(separator: ", ") }
    let entry =
      other.cpuid.entries.first { cpuid[$0.function, $0.index] != $0 }
      ?? cpuid.entries.first { other.cpuid[$0.function, $0.index] != $0 }
    guard let entry else { return "the order of CPUID's leaves" }
    return "CPUID leaf \(entry.function.hex), subleaf \(entry.index)"
  }
}
