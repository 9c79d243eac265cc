// One cell of a benchmark as it was measured: a guest under a policy, and its samples. No property is derived from
// others.

public import Registers

/// A workload, an entry and a policy that were measured together, or why they were not.
public struct CellRecord: Codable, Equatable, Sendable {
  /// The cell's stable name, made by `identifier`.
  public var id: String
  /// A workload or a primitive.
  public var workload: Known<WorkloadName>
  /// How user mode reaches the kernel; `none` where there is no user mode, as in every primitive.
  public var entry: Known<Entry>
  public var policy: Known<PolicyName>
  /// Whether the hardware or a model carries out the policy's mechanism (`autoload`, `shadow`); null for any other
  /// policy, and in results of older versions.
  @Nullable public var mechanism: Known<PolicyMechanism>?
  /// The MSR that the guest writes; null if it writes none.
  @Nullable public var msr: Known<MSR>?
  /// Where the neighbour runs, a VM that writes the MSR all the time; null if the guest is alone.
  @Nullable public var neighbour: Neighbour?
  /// Writes of the MSR per iteration that the guest was built to make.
  public var writesPerEntry: Int
  /// Exits to the VMM per iteration, other than those of the MSR, that the guest was built to make.
  public var exitsPerEntry: Int
  /// Indirect branches in user mode before each entry; null for a workload that makes none.
  @Nullable public var userBranches: Int?
  /// Where the guest's writes of the MSR end; `none` if it writes none.
  ///
  /// For a primitive that writes no MSR, `end` says where its instruction ends.
  public var place: Place
  public var status: Status
  /// Why it was not measured or does not count, in a sentence; null where it was measured.
  @Nullable public var reason: String?
  /// How many iterations one sample spans.
  public var iterationsPerSample: Int
  /// Every sample in the order of its measurement, round by round, warm-up included: cycles per iteration.
  ///
  /// Rounds of two cells belong together by their index; a round in which this cell gave nothing is empty.
  public var rounds: [[Double]]
  /// Exits per iteration as the VMM counted them; null where it was not measured.
  @Nullable public var vmmExitsPerEntry: Double?
  /// Exits per iteration as KVM counted them, those to the VMM included; null where KVM does not count.
  @Nullable public var kvmExitsPerEntry: Double?
  /// The growth of each of KVM's statistics per iteration, over the whole run; missing if KVM has none.
  public var kvmStatisticsPerEntry: [String: Double]?
  /// Exits per iteration by the reason that the processor gave KVM; missing if that was not requested.
  public var exitReasonsPerEntry: [String: Double]?
  /// The id of the cell that this one is compared with.
  @Nullable public var baseline: String?
  /// How the baseline is used: a primitive's loop is subtracted, a workload is divided by its bare entry.
  @Nullable public var baselineUse: BaselineUse?
  /// How the cell's guests were kept from running while they were measured; null if the cell was not measured.
  @Nullable public var disturbance: Disturbance?
  /// The Linux kernel that does the work; missing for a guest of Spectrap's own.
  public var kernel: Kernel?

  /// Where the VM beside a bystander runs.
  public enum Neighbour: String, Codable, CaseIterable, Sendable {
    case sameCPU = "same-cpu"
    case otherCPU = "other-cpu"
  }

  /// Where a write ends.
  public enum Place: String, Codable, CaseIterable, Sendable {
    /// No exit.
    case hardware
    /// KVM ends it by itself: a light exit.
    case kvm = "KVM"
    /// It reaches user space: a heavy exit.
    case vmm = "VMM"
    /// Nothing is written.
    case none
  }

  /// Whether the cell was measured.
  public enum Status: String, Codable, CaseIterable, Sendable {
    case measured
    /// This host cannot do it.
    case unsupported
    /// The witnesses contradict each other.
    case void
    /// The guest faulted or took too long.
    case failed
  }

  /// How a baseline is used.
  public enum BaselineUse: String, Codable, CaseIterable, Sendable {
    case subtract
    case divide
  }

  /// A cell; by default one that is yet to be measured.
  public init(
    id: String? = nil, workload: Known<WorkloadName>, entry: Known<Entry>, policy: Known<PolicyName>,
    msr: Known<MSR>? = nil, neighbour: Neighbour? = nil, writesPerEntry: Int = 0, exitsPerEntry: Int = 0,
    userBranches: Int? = nil, mechanism: Known<PolicyMechanism>? = nil, place: Place = .none,
    status: Status = .measured, reason: String? = nil, iterationsPerSample: Int = 0, rounds: [[Double]] = [],
    vmmExitsPerEntry: Double? = nil, kvmExitsPerEntry: Double? = nil, baseline: String? = nil,
    baselineUse: BaselineUse? = nil
  ) {
    self.id =
      id
      ?? Self.identifier(
        workload: workload, entry: entry, policy: policy, msr: msr, neighbour: neighbour,
        writesPerEntry: writesPerEntry, exitsPerEntry: exitsPerEntry, userBranches: userBranches ?? 0)
    self.workload = workload
    self.entry = entry
    self.policy = policy
    self.mechanism = mechanism
    self.msr = msr
    self.neighbour = neighbour
    self.writesPerEntry = writesPerEntry
    self.exitsPerEntry = exitsPerEntry
    self.userBranches = userBranches
    self.place = place
    self.status = status
    self.reason = reason
    self.iterationsPerSample = iterationsPerSample
    self.rounds = rounds
    self.vmmExitsPerEntry = vmmExitsPerEntry
    self.kvmExitsPerEntry = kvmExitsPerEntry
    self.baseline = baseline
    self.baselineUse = baselineUse
    kvmStatisticsPerEntry = nil
    exitReasonsPerEntry = nil
    disturbance = nil
    kernel = nil
  }
}

extension CellRecord {
  /// The stable name of a cell: `ibrs/syscall/emulate`, `wrmsr/none/passthrough/0x3b`, `ibrs/syscall/manual/w4/x2`,
  /// `ibrs-all/syscall/passthrough/b100`, `chatty/syscall/emulate+neighbour-same-cpu`.
  ///
  /// The name has the MSR unless that is SPEC_CTRL; writes and exits if they are not the workload's own (`ibrs` writes
  /// twice, `chatty` exits once, primitives do one thing); indirect branches in user mode if there are any.
  public static func identifier(
    workload: Known<WorkloadName>, entry: Known<Entry>, policy: Known<PolicyName>, msr: Known<MSR>? = nil,
    neighbour: Neighbour? = nil, writesPerEntry: Int = 0, exitsPerEntry: Int = 0, userBranches: Int = 0
  ) -> String {
    var parts = [workload.text, entry.text, policy.text]
    if let msr, msr != .specCtrl { parts.append(msr.text) }
    if workload == .ibrs {
      if writesPerEntry != 2 { parts.append("w\(writesPerEntry)") }
      if exitsPerEntry != 0 { parts.append("x\(exitsPerEntry)") }
    } else if workload == .chatty || workload == .retpoline, exitsPerEntry != (workload == .chatty ? 1 : 0) {
      parts.append("x\(exitsPerEntry)")
    }
    if userBranches > 0 { parts.append("b\(userBranches)") }
    return parts.joined(separator: "/") + (neighbour.map { "+neighbour-\($0.rawValue)" } ?? "")
  }

  /// Whether it was measured and has samples.
  public var isMeasured: Bool { status == .measured && rounds.contains { !$0.isEmpty } }

  /// The rounds without their warm-up.
  public var settledRounds: [[Double]] { zip(rounds, WarmUp.lengths(rounds)).map { Array($0.dropFirst($1)) } }

  /// The median of all samples that are not warm-up; nil where there are none.
  var median: Double? { settledRounds.flatMap { $0 }.median }

  /// Where its instruction ends: its place, or for a primitive that writes no MSR the place that its exits show.
  ///
  /// A primitive does one thing per iteration; half an exit tells one from none even if the count is disturbed.
  public var end: Place {
    guard place == .none, writesPerEntry == 0, isPrimitive else { return place }
    if vmmExitsPerEntry ?? 0 > 0.5 { return .vmm }
    return kvmExitsPerEntry ?? 0 > 0.5 ? .kvm : .none
  }

  /// Whether it is a loop without user mode: a single instruction, or the loop that is subtracted from one.
  package var isPrimitive: Bool { entry == Entry.none }

  /// How many indirect branches its user mode makes before each entry.
  package var branches: Int { userBranches ?? 0 }

  /// Whether it writes SPEC_CTRL itself.
  package var writesSpecCtrl: Bool { msr == nil || msr?.value == .specCtrl }
}

extension CodingUserInfoKey {
  /// Set to decode results without their samples, which take most of the space; the statistics are kept.
  public static let withoutSamples = CodingUserInfoKey(rawValue: "withoutSamples")
}

extension KeyedDecodingContainer {
  /// Called by the synthesised decoding of a cell; no rounds where the samples are not wanted.
  func decode(_ type: [[Double]].Type, forKey key: Key) throws -> [[Double]] {
    let decoder = try superDecoder(forKey: key)
    if let key = CodingUserInfoKey.withoutSamples, decoder.userInfo[key] != nil { return [] }
    return try [[Double]](from: decoder)
  }
}
