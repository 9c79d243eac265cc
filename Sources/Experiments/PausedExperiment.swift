// An experiment half done: the guest as it was taken away, and what it is a guest of, which belong together.

public import Hypervisor
public import Migration

/// A guest of an experiment outside any host, with the experiment that goes on with it.
public struct PausedExperiment: Sendable {
  public let experiment: Experiment
  public let snapshot: ExperimentSnapshot

  /// The experiment that a snapshot is of, under its own policy or another.
  ///
  /// - Throws: `ExperimentError.snapshot` when it describes none.
  public init(_ snapshot: ExperimentSnapshot, under policy: PolicyName? = nil) throws(ExperimentError) {
    self.init(try Experiment(resuming: snapshot, under: policy), snapshot)
  }

  private init(_ experiment: Experiment, _ snapshot: ExperimentSnapshot) {
    self.experiment = experiment
    self.snapshot = snapshot
  }

  /// Goes on with the guest on these terms.
  ///
  /// `beforeEntry` is called once everything is open, before the guest's first instruction.
  ///
  /// - Throws: As `Experiment.run` does, what `beforeEntry` throws, `ExperimentError.mayNotGoOn` when the guest would
  ///   lose what it was told (and the terms do not accept what can be accepted), and `VirtualCPUStateError` with what
  ///   of the guest's state this host does not take.
  public func resume(
    on kvm: borrowing KVM, terms: Terms, observing observation: Observation = .nothing,
    control: RunControl = RunControl(), beforeEntry: () throws -> Void = {}
  ) throws -> RunRecord {
    let guest = try admitted(on: kvm, terms: terms)
    return try experiment.finish(
      .snapshot(guest.snapshot), on: kvm, terms: guest.accepted(terms), observing: observation, control: control,
      beforeEntry: beforeEntry)
  }

  /// The guest, if it may go on at this host under the experiment's policy; what it loses is a warning from then on.
  ///
  /// - Throws: `ExperimentError.mayNotGoOn` when it may not, or not without that being accepted.
  func admitted(on kvm: borrowing KVM, terms: Terms) throws -> PausedExperiment {
    let host = try HostOffer.prove(on: kvm, abilities: terms.abilities)
    var snapshot = snapshot
    let moving = try MovingGuest(snapshot)
    for warning in Decision.warnings(of: moving, at: host) { snapshot.guest.warn(warning) }
    switch Decision(
      of: moving, to: host, under: experiment.policy, accepting: terms.acceptsUnprotected, costs: terms.adaptiveCosts)
    {
    case .allowed: break
    case .refused(let reason): throw ExperimentError.mayNotGoOn(reason)
    case .unprotected(let reason):
      guard terms.acceptsUnprotected else { throw ExperimentError.mayNotGoOn(Decision.advice(reason)) }
      snapshot.guest.warn(Decision.warning(reason))
    }
    return PausedExperiment(experiment, snapshot)
  }

  /// The terms with what the user has accepted for this guest elsewhere.
  func accepted(_ terms: Terms) -> Terms { terms.accepting(experiment.acceptsUnprotected) }
}
