// Plans a benchmark: the cells for this host, the baseline of each, and the reason for each cell that cannot be
// measured here. No cell is dropped without a reason.

public import GuestImages
public import Hypervisor
import Measurement

/// The user's selection of cells.
public struct BenchSelection: Sendable {
  /// Empty for all.
  public var workloads: Set<Workload.Name> = []
  /// Empty for all.
  public var policies: Set<PolicyName> = []
  /// Empty for the preferred entry of those that work here.
  public var entries: Set<Entry> = []
  /// Every entry that works here, not only the preferred one.
  public var allEntries = false
  public var msr: MSR = .specCtrl
  /// Images that follow the ABI, measured beside the workloads under their own workloads' names.
  public var guests: [GuestImage] = []
  /// Whether the policy `adaptive` may give up protection that the host offers.
  public var acceptsUnprotected = false

  /// Everything, with the preferred entry, for IA32_SPEC_CTRL.
  public init() {}
}

extension BenchSelection {
  /// Checks that the selection does not contradict itself, whatever the host.
  ///
  /// - Throws: `ExperimentError.nothingToMeasure` with the contradiction.
  fileprivate func validate(against kernelWork: [Workload.Name]) throws(ExperimentError) {
    let primitives = BenchPlan.primitives
    func list(_ names: [Workload.Name]) -> String { names.map(\.rawValue).joined(separator: ", ") }
    let unknown = workloads.subtracting(kernelWork).subtracting(primitives)
    guard unknown.isEmpty else {
      throw .nothingToMeasure(
        "workload \(list(unknown.sorted { $0.rawValue < $1.rawValue })) is not a loop that can be timed; "
          + "choose from \(list(kernelWork + primitives))")
    }
    guard entries != [.none] || workloads.isEmpty || !workloads.isDisjoint(with: primitives) else {
      throw .nothingToMeasure(
        "with entry none there is no kernel entry for \(list(kernelWork.filter(workloads.contains))); "
          + "choose an entry (\(Entry.ringSwitching.map(\.rawValue).joined(separator: ", "))) "
          + "or a primitive (\(list(primitives)))")
    }
  }
}

/// A cell to measure, or the reason why it cannot be measured.
struct PlannedCell {
  /// Its description; if it cannot be measured, also the reason.
  let cell: CellRecord
  /// Nil for a cell that cannot be measured here.
  let experiment: Experiment?
  let terms: Terms
  /// Where the neighbour VM runs; nil if the cell has none.
  let neighbour: NeighbourPlace?
  /// Whether the selection asks for it; otherwise it is a baseline of other cells only.
  var isSelected = true
}

/// The planned cells in a fixed order, and the proofs of entries that they use.
struct BenchPlan {
  private(set) var cells: [PlannedCell] = []
  private(set) var entries: [EntryProof] = []

  let selection: BenchSelection
  /// The terms for the cells of each MSR.
  private var terms: [MSR: Terms] = [:]
  /// The contract with the most features that any policy gives its guest on this host.
  private let fullestContract: GuestContract

  /// Writes and exits per entry of the cells that the cost per write and per exit is fitted on.
  private static let costGrid = [(1, 0), (4, 0), (2, 1), (2, 4), (4, 4)]
  /// Indirect branches in user mode before each entry, for the cells that show the cost of IBRS there.
  ///
  /// So many are noticeable beside an entry, and the entry is noticeable beside them.
  private static let userBranches = 100

  /// The workloads that are measured at kernel entries, and the instructions that are measured alone.
  private static let kernelWork = Workload.Name.allCases.filter { $0.kind == .workload && Workload($0).isUniform }
  static let primitives = Workload.Name.allCases.filter { $0.kind == .primitive }

  /// Plans the selection for the host that `proofs` describe.
  ///
  /// Other MSRs are proved here as needed.
  ///
  /// - Throws: What the proofs throw; `ExperimentError.noEntry` if no entry switches rings and none was asked for;
  ///   `ExperimentError.nothingToMeasure` if the selection contradicts itself; `ExperimentError.nothingMeasurable` if
  ///   this host can measure nothing of what it names.
  init(_ selection: BenchSelection, by proofs: HostProofs, on kvm: borrowing KVM, canPlaceNeighbours: Bool) throws {
    self.selection = selection
    try selection.validate(against: Self.kernelWork)
    fullestContract = Emulate().contract(from: try GuestContract(offeredBy: kvm))
    for msr in Set([selection.msr, .standIn, .predCmd] + selection.guests.map(\.workload.msr)) {
      let known = msr == proofs.abilities.subject ? proofs.abilities : nil
      terms[msr] = Terms(
        try known ?? .prove(msr, on: kvm), acceptsUnprotected: selection.acceptsUnprotected)
    }
    // Measured once for all cells, outside of their samples.
    for policy in policies {
      terms[selection.msr] = try terms[selection.msr]!.measured(for: policy, on: kvm)
    }
    let wanted = Entry.ringSwitching.filter { selection.entries.isEmpty || selection.entries.contains($0) }
    if selection.entries != [.none] {
      for proof in proofs.entries where wanted.contains(proof.entry) {
        entries.append(try proof.made())
        if proof.works, !selection.allEntries, selection.entries.isEmpty { break }
      }
    }
    var working = entries.filter(\.works).map(\.entry)
    if selection.entries.contains(.none) { working.append(.none) }
    guard !working.isEmpty else { throw ExperimentError.noEntry(entries.map { ($0.entry, $0.seen) }) }

    // The empty loop is the baseline of an entry's own cost.
    try plan(Workload(.bare), .none, .emulate, on: kvm, isSelected: false)
    for entry in working where entry != .none { try planWorkloads(entry, on: kvm, neighbours: canPlaceNeighbours) }
    for proof in entries where !proof.works {
      try plan(
        Workload(.bare), proof.entry, .emulate, on: kvm,
        refusal: "this entry does not switch to ring 0 here: \(proof.seen)", isSelected: !selection.entries.isEmpty)
    }
    if selection.entries.isEmpty, !selection.allEntries { try planIsolated(by: proofs, on: kvm) }
    try planPrimitives(on: kvm)
    for guest in selection.guests { try plan(guest, by: proofs, on: kvm) }
    try checkPossible()
  }

  /// Checks that at least one cell that the selection names can be measured here.
  private func checkPossible() throws(ExperimentError) {
    let selected = cells.filter(\.isSelected)
    guard !selection.workloads.isEmpty || !selection.policies.isEmpty,
      selected.allSatisfy({ $0.experiment == nil })
    else {
      return
    }
    throw .nothingMeasurable(selected.map { ($0.cell.id, $0.cell.reason ?? "") })
  }

  // MARK: Workloads

  private mutating func planWorkloads(_ entry: Entry, on kvm: borrowing KVM, neighbours: Bool) throws {
    let bare = try plan(
      Workload(.bare), entry, .emulate, on: kvm, isSelected: wants(.bare) && policies.contains(.emulate))
    if wants(.ibrs), policies.contains(.passthrough) {
      // Two writes at each entry that KVM completes by itself, as the hypervisor of the 2018 discussion would do for
      // SPEC_CTRL.
      try plan(
        Workload(.ibrs, msr: .standIn), entry, .passthrough, on: kvm, msr: .standIn, against: bare,
        isSelected: isPossible(.passthrough))
    }
    for policy in policies {
      for name in Self.kernelWork where name != .ibpb && wants(name) {
        if name == .bare && policy == .emulate { continue }
        // Under the other policies its writes reach the VMM as those of `ibrs` do, or do not exit at all.
        if name == .ibrsZero && policy != .passthrough { continue }
        try plan(Workload(name, msr: selection.msr), entry, policy, on: kvm, against: bare)
      }
      if wants(.ibpb) {
        try plan(
          Workload(.ibpb), entry, policy, on: kvm, msr: .predCmd, against: bare,
          isSelected: isPossible(policy) || selection.workloads.contains(.ibpb))
      }
      if wants(.chatty) {
        let alone = CellRecord.identifier(
          workload: .known(.chatty), entry: .known(entry), policy: .known(policy), exitsPerEntry: 1)
        for place in [NeighbourPlace.sameCPU, .otherCPU] {
          try plan(
            Workload(.chatty), entry, policy, on: kvm, neighbour: place, against: alone,
            refusal: neighbours || place == .sameCPU ? nil : "this process may use one processor only")
        }
      }
      if wants(.ibrs) {
        for (writes, exits) in Self.costGrid {
          try plan(.ibrs(selection.msr, writes: writes, exits: exits), entry, policy, on: kvm, against: bare)
        }
      }
      // A policy does its work at exits, so that a guest without exits may not feel it.
      if wants(.retpoline) { try plan(.retpoline(exits: 1), entry, policy, on: kvm, against: bare) }
      // User mode runs with the guest's own value only if the guest's writes reach the register.
      if policy == .passthrough { try planBranches(entry, policy, on: kvm, against: bare) }
    }
  }

  /// What claims about a system call of 2018 need of the isolated entry: an empty one, two writes in the register, two
  /// that KVM ends, two that reach the VMM.
  private mutating func planIsolated(by proofs: HostProofs, on kvm: borrowing KVM) throws {
    let entry = Entry.isolated
    guard wants(.bare) || wants(.ibrs) || wants(.ibrsZero),
      let proof = try proofs.entries.first(where: { $0.entry == entry })?.made(), !entries.contains(proof)
    else { return }
    let refusal = proof.works ? nil : "this entry does not switch to ring 0 here: \(proof.seen)"
    let bare = try plan(Workload(.bare), entry, .emulate, on: kvm, refusal: refusal, isSelected: false)
    guard proof.works else { return }
    if wants(.ibrs) {
      for policy in policies where policy == .passthrough || policy == .emulate {
        try plan(Workload(.ibrs, msr: selection.msr), entry, policy, on: kvm, against: bare)
      }
    }
    guard policies.contains(.passthrough) else { return }
    if wants(.ibrsZero) {
      try plan(Workload(.ibrsZero, msr: selection.msr), entry, .passthrough, on: kvm, against: bare)
    }
    if wants(.ibrs) {
      try plan(
        Workload(.ibrs, msr: .standIn), entry, .passthrough, on: kvm, msr: .standIn, against: bare,
        isSelected: isPossible(.passthrough))
    }
  }

  /// Plans the guests that differ in the value of IBRS in user mode, with branches there that it slows down.
  private mutating func planBranches(
    _ entry: Entry, _ policy: PolicyName, on kvm: borrowing KVM, against bare: String
  ) throws {
    let msr = selection.msr
    for workload in [
      Workload.ibrs(msr, userBranches: Self.userBranches), .ibrsAll(msr, userBranches: Self.userBranches),
      .ibrsForced(msr, userBranches: Self.userBranches),
    ] where workload.name.value.map(wants) == true { try plan(workload, entry, policy, on: kvm, against: bare) }
  }

  // MARK: The user's own guests

  /// Plans an image under each policy.
  ///
  /// Its baseline is a bare entry of the same kind, or the empty loop if it has no user mode.
  private mutating func plan(_ image: GuestImage, by proofs: HostProofs, on kvm: borrowing KVM) throws {
    let (workload, entry) = (image.workload, image.entry)
    var refusal: String?
    if entry != .none {
      let proof = try proofs.entries.first { $0.entry == entry }?.made()
      if proof?.works != true { refusal = "its entry does not switch to ring 0 here: \(proof?.seen ?? "not tried")" }
    }
    let bare = try plan(Workload(.bare), entry, .emulate, on: kvm, refusal: refusal, isSelected: false)
    let msr = workload.accessesMSR ? workload.msr : selection.msr
    for policy in policies {
      try plan(
        workload, entry, policy, on: kvm, msr: msr, against: bare, use: entry == .none ? .subtract : .divide,
        refusal: refusal, image: image)
    }
  }

  // MARK: One cell

  /// Whether this host supports a policy for the selected MSR.
  ///
  /// A cell about another MSR is no answer for the selection.
  func isPossible(_ policy: PolicyName) -> Bool {
    if case .supported = policy.support(on: terms[selection.msr]!) { true } else { false }
  }

  var policies: [PolicyName] {
    PolicyName.allCases.filter { selection.policies.isEmpty || selection.policies.contains($0) }
  }

  func wants(_ name: Workload.Name) -> Bool {
    selection.workloads.isEmpty || selection.workloads.contains(name)
  }

  @discardableResult
  mutating func plan(
    _ workload: Workload, _ entry: Entry, _ policy: PolicyName, on kvm: borrowing KVM, msr: MSR? = nil,
    neighbour: NeighbourPlace? = nil,
    against baseline: String? = nil, use: CellRecord.BaselineUse = .divide, id: String? = nil,
    refusal: String? = nil, isSelected: Bool = true, image: GuestImage? = nil
  ) throws -> String {
    let msr = msr ?? selection.msr
    let terms = terms[msr]!
    let exits = workload.perIteration.outs + workload.perIteration.stores + workload.perIteration.halts
    var cell = CellRecord(
      id: id, workload: workload.name, entry: .known(entry), policy: .known(policy),
      msr: workload.accessesMSR ? .known(msr) : nil,
      neighbour: neighbour.flatMap { CellRecord.Neighbour(rawValue: $0.rawValue) },
      writesPerEntry: Int(workload.perIteration.writes), exitsPerEntry: Int(exits),
      userBranches: workload.parameters[.userBranches],
      mechanism: terms.abilities.mechanism(of: policy).map(Known.known), baseline: baseline,
      baselineUse: baseline == nil ? nil : use)
    var experiment: Experiment?
    if let refusal {
      cell.status = .unsupported
      cell.reason = refusal
    } else if case .refused(let reason) = policy.support(on: terms) {
      cell.status = .unsupported
      cell.reason = reason
    } else {
      // A proof that could not be made is an error of the whole plan, not a reason of this cell.
      let refusal = try self.refusal(of: workload, on: kvm)
      do throws(ExperimentError) {
        if let refusal { throw .workloadRefused(workload.name, refusal) }
        experiment =
          if let image {
            try Experiment(running: image, policy: policy, msr: msr, iterations: 1, samples: 1)
          } else {
            try Experiment(running: workload, entry: entry, policy: policy, msr: msr, iterations: 1, samples: 1)
          }
      } catch {
        experiment = nil
        cell.status = .unsupported
        cell.reason = "\(error)"
      }
    }
    if !cells.contains(where: { $0.cell.id == cell.id }) {
      cells.append(
        PlannedCell(cell: cell, experiment: experiment, terms: terms, neighbour: neighbour, isSelected: isSelected))
    }
    return cell.id
  }

  /// Why no guest on this host would run a workload; nil if one would.
  ///
  /// Each MSR is proved once for all cells.
  private mutating func refusal(of workload: Workload, on kvm: borrowing KVM) throws -> String? {
    if let own = workload.ownMSR(besides: .specCtrl) {
      let known = try terms[own] ?? .prove(own, on: kvm)
      terms[own] = known
      if let reason = workload.refusal(after: known.abilities.register) { return reason }
    }
    return workload.refusal(toldOf: fullestContract)
  }
}
