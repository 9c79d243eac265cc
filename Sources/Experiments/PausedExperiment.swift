// An unfinished experiment and its guest's snapshot.

public import Hypervisor
public import Migration

/// A guest outside any host, with the experiment that continues with it.
public struct PausedExperiment: Sendable {
  public let experiment: Experiment
  public let snapshot: ExperimentSnapshot

  /// The experiment of a snapshot, under its own policy or another.
  ///
  /// - Throws: `ExperimentError.snapshot` when the snapshot describes no experiment.
  public init(_ snapshot: ExperimentSnapshot, under policy: PolicyName? = nil) throws(ExperimentError) {
    self.init(try Experiment(resuming: snapshot, under: policy), snapshot)
  }

  private init(_ experiment: Experiment, _ snapshot: ExperimentSnapshot) {
    self.experiment = experiment
    self.snapshot = snapshot
  }

  /// Continues the guest on these terms.
  ///
  /// - Parameter beforeEntry: called once everything is open, before the guest's first instruction.
  /// - Throws: What `Experiment.run` and `beforeEntry` throw; `ExperimentError.mayNotGoOn` when the guest would lose
  ///   something that the terms do not accept; `VirtualCPUStateError` when this host does not take the guest's state.
  public func resume(
    on kvm: borrowing KVM, terms: Terms, observing observation: Observation = .nothing,
    control: RunControl = RunControl(), beforeEntry: () throws -> Void = {}
  ) throws -> RunRecord {
    let guest = try admitted(on: kvm, terms: terms)
    return try experiment.finish(
      .snapshot(guest.snapshot), on: kvm, terms: guest.accepted(terms), observing: observation, control: control,
      beforeEntry: beforeEntry)
  }

  /// The guest, if it may continue on this host under the experiment's policy, with warnings about what it loses.
  ///
  /// - Throws: `ExperimentError.mayNotGoOn` when it may not, or when the terms do not accept the loss.
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

  /// The terms, with what the user has already accepted for this guest.
  func accepted(_ terms: Terms) -> Terms { terms.accepting(experiment.acceptsUnprotected) }
}
