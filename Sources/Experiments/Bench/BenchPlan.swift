// What a benchmark measures: which cells there are on this host, what each is held against, and what cannot be measured
// here and why. Nothing vanishes from the plan in silence.

public import GuestImages
public import Hypervisor
import Measurement

/// What the user wants measured.
public struct BenchSelection: Sendable {
  /// Empty for all.
  public var workloads: Set<Workload.Name> = []
  /// Empty for all.
  public var policies: Set<PolicyName> = []
  /// Empty for the best that works here.
  public var entries: Set<Entry> = []
  /// Every entry that works here, not only the best.
  public var allEntries = false
  public var msr: MSR = .specCtrl
  /// Images that follow the ABI, measured beside the workloads; each is called as its workload.
  public var guests: [GuestImage] = []
  /// Whether the policy `adaptive` may give up a protection that the host could give.
  public var acceptsUnprotected = false

  /// Everything, with the best entry, about IA32_SPEC_CTRL.
  public init() {}
}

extension BenchSelection {
  /// Makes sure that something can come of the selection on any host.
  ///
  /// - Throws: `ExperimentError.nothingToMeasure` with what contradicts what.
  fileprivate func validate(against kernelWork: [Workload.Name]) throws(ExperimentError) {
    let primitives = BenchPlan.primitives
    func words(_ names: [Workload.Name]) -> String { names.map(\.rawValue).joined(separator: ", ") }
    let unknown = workloads.subtracting(kernelWork).subtracting(primitives)
    guard unknown.isEmpty else {
      throw .nothingToMeasure(
        "workload \(words(unknown.sorted { $0.rawValue < $1.rawValue })) is no loop that could be timed; "
          + "choose from \(words(kernelWork + primitives))")
    }
    guard entries != [.none] || workloads.isEmpty || !workloads.isDisjoint(with: primitives) else {
      throw .nothingToMeasure(
        "with entry none there is no kernel entry for \(words(kernelWork.filter(workloads.contains))); "
          + "choose an entry (\(Entry.ringSwitching.map(\.rawValue).joined(separator: ", "))) "
          + "or a primitive (\(words(primitives)))")
    }
  }
}

/// A cell that is to be measured, or the reason why it cannot be.
struct PlannedCell {
  /// What it is, without what is measured; where it cannot be measured, why.
  let cell: CellRecord
  /// Nil for a cell that cannot be measured here.
  let experiment: Experiment?
  let terms: Terms
  /// Where the neighbour VM runs; nil if the cell has none.
  let neighbour: NeighbourPlace?
  /// Whether the selection names it; else it is there for what others are held against.
  var isAsked = true
}

/// The plan: cells in a fixed order, and what was found out about the host while it was made.
struct BenchPlan {
  private(set) var cells: [PlannedCell] = []
  private(set) var entries: [EntryProof] = []

  private let selection: BenchSelection
  /// On which terms cells about each MSR run.
  private var terms: [MSR: Terms] = [:]
  /// The most that any policy's guest is told here.
  private let fullestContract: GuestContract

  /// Writes and exits per entry of the cells from which the cost per write and per exit is drawn.
  private static let costGrid = [(1, 0), (4, 0), (2, 1), (2, 4), (4, 4)]
  /// Indirect branches in user mode before each entry, of the cells that show what IBRS costs there: enough to be seen
  /// beside an entry, few enough for an entry to matter beside them.
  private static let userBranches = 100

  /// The guests' work that is measured at kernel entries, and the single instructions that are measured alone.
  private static let kernelWork = Workload.Name.allCases.filter { $0.kind == .workload && Workload($0).isUniform }
  fileprivate static let primitives = Workload.Name.allCases.filter { $0.kind == .primitive }

  /// Plans what `selection` asks for on the host of these proofs; what else it needs to know of other MSRs is proved
  /// now.
  ///
  /// - Throws: What the proofs throw; `ExperimentError.noEntry` when no entry switches rings and none was asked for;
  ///   `ExperimentError.nothingToMeasure` when the selection contradicts itself; `ExperimentError.nothingMeasurable`
  ///   when this host can run nothing of what it names.
  init(_ selection: BenchSelection, by proofs: HostProofs, on kvm: borrowing KVM, canPlaceNeighbours: Bool) throws {
    self.selection = selection
    try selection.validate(against: Self.kernelWork)
    fullestContract = Emulate().contract(from: try GuestContract(offeredBy: kvm))
    for msr in Set([selection.msr, .standIn, .predCmd] + selection.guests.map(\.workload.msr)) {
      let known = msr == proofs.abilities.subject ? proofs.abilities : nil
      terms[msr] = Terms(
        try known ?? .prove(msr, on: kvm), acceptsUnprotected: selection.acceptsUnprotected)
    }
    // Once for all cells: measuring is no part of what they cost.
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

    // The empty loop: what an entry costs is what it costs beside it.
    try plan(Workload(.bare), .none, .emulate, on: kvm, isAsked: false)
    for entry in working where entry != .none { try planWorkloads(entry, on: kvm, neighbours: canPlaceNeighbours) }
    for proof in entries where !proof.works {
      try plan(
        Workload(.bare), proof.entry, .emulate, on: kvm,
        refusal: "this entry does not switch to ring 0 here: \(proof.seen)", isAsked: !selection.entries.isEmpty)
    }
    try planPrimitives(on: kvm)
    for guest in selection.guests { try plan(guest, by: proofs, on: kvm) }
    try checkPossible()
  }

  /// Makes sure that something which the selection names can be measured here, where it names anything.
  private func checkPossible() throws(ExperimentError) {
    let asked = cells.filter(\.isAsked)
    guard !selection.workloads.isEmpty || !selection.policies.isEmpty, asked.allSatisfy({ $0.experiment == nil }) else {
      return
    }
    throw .nothingMeasurable(asked.map { ($0.cell.id, $0.cell.reason ?? "") })
  }

  // MARK: Workloads

  private mutating func planWorkloads(_ entry: Entry, on kvm: borrowing KVM, neighbours: Bool) throws {
    let bare = try plan(
      Workload(.bare), entry, .emulate, on: kvm, isAsked: wants(.bare) && policies.contains(.emulate))
    if wants(.ibrs), policies.contains(.passthrough) {
      // Two writes at each entry that KVM ends by itself, as the thread's hypervisor would have done with SPEC_CTRL.
      try plan(
        Workload(.ibrs, msr: .standIn), entry, .passthrough, on: kvm, msr: .standIn, against: bare,
        isAsked: isPossible(.passthrough))
    }
    for policy in policies {
      for name in Self.kernelWork where name != .ibpb && wants(name) {
        if name == .bare && policy == .emulate { continue }
        // Under the others the VMM ends its writes, as those of `ibrs`, or nobody does.
        if name == .ibrsZero && policy != .passthrough { continue }
        try plan(Workload(name, msr: selection.msr), entry, policy, on: kvm, against: bare)
      }
      if wants(.ibpb) {
        try plan(
          Workload(.ibpb), entry, policy, on: kvm, msr: .predCmd, against: bare,
          isAsked: isPossible(policy) || selection.workloads.contains(.ibpb))
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
      // Only where the guest's writes reach the register does user mode run as the guest has set it.
      if policy == .passthrough { try planBranches(entry, policy, on: kvm, against: bare) }
    }
  }

  /// The guests that differ in what IBRS is in user mode, with work there that feels it.
  private mutating func planBranches(
    _ entry: Entry, _ policy: PolicyName, on kvm: borrowing KVM, against bare: String
  ) throws {
    let msr = selection.msr
    for workload in [
      Workload.ibrs(msr, userBranches: Self.userBranches), .ibrsAll(msr, userBranches: Self.userBranches),
      .ibrsForced(msr, userBranches: Self.userBranches),
    ] where workload.name.value.map(wants) == true { try plan(workload, entry, policy, on: kvm, against: bare) }
  }

  // MARK: Guests of the user's

  /// An image under each policy: beside a bare entry of its kind, or the empty loop where it has no user mode.
  private mutating func plan(_ image: GuestImage, by proofs: HostProofs, on kvm: borrowing KVM) throws {
    let (workload, entry) = (image.workload, image.entry)
    var refusal: String?
    if entry != .none {
      let proof = try proofs.entries.first { $0.entry == entry }?.made()
      if proof?.works != true { refusal = "its entry does not switch to ring 0 here: \(proof?.seen ?? "not tried")" }
    }
    let bare = try plan(Workload(.bare), entry, .emulate, on: kvm, refusal: refusal, isAsked: false)
    let msr = workload.accessesMSR ? workload.msr : selection.msr
    for policy in policies {
      try plan(
        workload, entry, policy, on: kvm, msr: msr, against: bare, use: entry == .none ? .subtract : .divide,
        refusal: refusal, image: image)
    }
  }

  // MARK: Primitives

  private mutating func planPrimitives(on kvm: borrowing KVM) throws {
    if wants(.wrmsr) {
      for policy in policies {
        try planPrimitive(.wrmsr(selection.msr), policy, on: kvm)
      }
      if policies.contains(.passthrough) {
        try planPrimitive(
          .wrmsr(.standIn, value: 0), .passthrough, on: kvm, msr: .standIn,
          isAsked: isPossible(.passthrough))
      }
    }
    if wants(.rdmsr) {
      // Trapped by KVM as long as the guest writes nothing, and by the VMM.
      for policy in policies where policy == .passthrough || policy == .emulate {
        try planPrimitive(.rdmsr(selection.msr), policy, on: kvm)
      }
    }
    for name in Self.primitives where wants(name) && ![.wrmsr, .rdmsr, .delay].contains(name) {
      try planPrimitive(Workload(name), anyPolicy, on: kvm)
    }
    // A delay says nothing about the host: it is there to test the measuring, when it is asked for.
    if selection.workloads.contains(.delay) { try planPrimitive(Workload(.delay), anyPolicy, on: kvm) }
  }

  /// The policy of the primitives that cost the same under each: `emulate` where it is wanted, else the first that is
  /// possible.
  private var anyPolicy: PolicyName {
    let possible = policies.filter(isPossible)
    let candidates = possible.isEmpty ? policies : possible
    return candidates.contains(.emulate) ? .emulate : candidates[0]
  }

  /// Whether this host can run a policy of the MSR that was asked about: what runs under it of another MSR is no
  /// answer.
  private func isPossible(_ policy: PolicyName) -> Bool {
    if case .supported = policy.support(on: terms[selection.msr]!) { true } else { false }
  }

  private mutating func planPrimitive(
    _ workload: Workload, _ policy: PolicyName, on kvm: borrowing KVM, msr: MSR? = nil, isAsked: Bool = true
  ) throws {
    guard let loop = workload.baseline else { return }
    let id = CellRecord.identifier(
      workload: workload.name, entry: .known(.none), policy: .known(policy), msr: .known(msr ?? selection.msr))
    let baseline = "\(id)/loop"
    try plan(loop, .none, policy, on: kvm, msr: msr, id: baseline, isAsked: false)
    try plan(workload, .none, policy, on: kvm, msr: msr, against: baseline, use: .subtract, id: id, isAsked: isAsked)
  }

  // MARK: One cell

  private var policies: [PolicyName] {
    PolicyName.allCases.filter { selection.policies.isEmpty || selection.policies.contains($0) }
  }

  private func wants(_ name: Workload.Name) -> Bool {
    selection.workloads.isEmpty || selection.workloads.contains(name)
  }

  @discardableResult
  private mutating func plan(
    _ workload: Workload, _ entry: Entry, _ policy: PolicyName, on kvm: borrowing KVM, msr: MSR? = nil,
    neighbour: NeighbourPlace? = nil,
    against baseline: String? = nil, use: CellRecord.BaselineUse = .divide, id: String? = nil,
    refusal: String? = nil, isAsked: Bool = true, image: GuestImage? = nil
  ) throws -> String {
    let msr = msr ?? selection.msr
    let terms = terms[msr]!
    let exits = workload.perIteration.outs + workload.perIteration.stores + workload.perIteration.halts
    var cell = CellRecord(
      id: id, workload: workload.name, entry: .known(entry), policy: .known(policy),
      msr: workload.accessesMSR ? .known(msr) : nil,
      neighbour: neighbour.flatMap { CellRecord.Neighbour(rawValue: $0.rawValue) },
      writesPerEntry: Int(workload.perIteration.writes), exitsPerEntry: Int(exits),
      userBranches: workload.parameters[.userBranches], baseline: baseline,
      baselineUse: baseline == nil ? nil : use)
    var experiment: Experiment?
    if let refusal {
      cell.status = .unsupported
      cell.reason = refusal
    } else if case .refused(let reason) = policy.support(on: terms) {
      cell.status = .unsupported
      cell.reason = reason
    } else {
      // A proof that could not be made is no reason: it ends the plan.
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
        PlannedCell(cell: cell, experiment: experiment, terms: terms, neighbour: neighbour, isAsked: isAsked))
    }
    return cell.id
  }

  /// Why no guest here would run a workload, nil when one would: by a proof that is made once for all cells.
  private mutating func refusal(of workload: Workload, on kvm: borrowing KVM) throws -> String? {
    if let own = workload.ownMSR(besides: .specCtrl) {
      let known = try terms[own] ?? .prove(own, on: kvm)
      terms[own] = known
      if let reason = workload.refusal(after: known.abilities.register) { return reason }
    }
    return workload.refusal(toldOf: fullestContract)
  }
}
