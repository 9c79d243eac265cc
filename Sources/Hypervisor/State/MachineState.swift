// The state of a machine, all but the contents of its memory; and a machine that goes on from one.

/// The state of a machine: what its guest was told, its vCPU, what the policy keeps for it, and the exits so far.
public struct MachineState: Codable, Equatable, Sendable {
  /// What KVM was asked to tell the guest.
  public let presented: GuestContract
  /// What the guest was told, read back from KVM.
  public let told: GuestContract
  public let cpu: VirtualCPUState
  /// The MSR that the policy is about.
  public let subject: MSR
  /// What the guest reads of it, which the next policy takes over; nil where it can only write.
  public let subjectValue: UInt64?
  /// `Policy.state`, nil for the guest's next policy to begin anew.
  public var policyState: [String: UInt64]?
  /// The VM's clock in nanoseconds, which KVM's paravirtual clocks show; nil where KVM does not tell.
  public var clock: UInt64?
  /// Where the guest has memory.
  public let memory: [GuestPhysicalRange]
  public var counters: ExitCounters
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
        presented: presented, told: contract, cpu: try cpu.state(with: try kvm.stateMSRs()), subject: policy.subject,
        subjectValue: value, policyState: policy.state.isEmpty ? nil : policy.state, clock: try vm.clock(),
        memory: vm.memory(), counters: counters)
    } catch let error as VirtualCPUStateError {
      throw error
    } catch {
      if let error = KVMError(behind: error) { throw .kvm(error) }
      throw .unreadable(policy.subject)
    }
  }

  private var subjectIsReadable: Bool { !policy.subject.isCommand }

  /// Gives a machine that was made with the state's `presented` contract, and has no memory yet, the state and its
  /// pages; all other memory is zeroes.
  ///
  /// - Throws: `PolicyError` when the policy cannot take over; `GuestMemoryError` when the memory cannot be;
  ///   `VirtualCPUStateError` with what KVM on this host refuses or does not hold, and when the guest would be told
  ///   something else than before.
  public mutating func restore(_ state: MachineState, _ pages: [GuestPage]) throws {
    if let difference = contract.difference(from: state.told) { throw VirtualCPUStateError.contract(difference) }
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
  /// The MSRs that the vCPU's state does not decide: the policy's own, and those of hardware that the guest was not
  /// told of.
  var omittedMSRs: Set<MSR> {
    Set(cpu.msrs.map(\.msr).filter { $0 == subject || !told.cpuid.announces($0) })
  }
}

extension CPUIDModel {
  /// Whether a guest of this CPUID may know of an MSR: not of VMX's, of Hyper-V's, or of IA32_PERF_CAPABILITIES, where
  /// it is not told of them.
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
  /// How this contract differs from another, in a few words; nil where it does not.
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
