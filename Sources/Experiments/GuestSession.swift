// An experiment's guest on this host, without the type of its policy. Code that runs, ends and moves guests uses it for
// all policies.

import GuestImages
import Hypervisor
import Migration

/// An `ExperimentSession` of any policy.
///
/// Each member is specialised for the policy when the session is opened: calling a member is a dynamic call, an exit of
/// the guest is not.
struct GuestSession {
  /// `ExperimentSession.run`, `record`, `snapshot`, `move` and `prepare`, and the machine's `release`.
  let run: (Observation, RunControl) throws -> RunControl.Stop?
  let record: (RunControl.Stop?, ExperimentSnapshot?) throws -> RunRecord
  let snapshot: (borrowing KVM, String) throws -> ExperimentSnapshot
  let move: (MoveRequest, Destination, borrowing KVM, HostOffer, RunControl) throws -> MoveResult
  let prepare: (RunControl) throws -> Void
  let release: (RunControl) -> Void

  @inline(__always) fileprivate init<P: Policy & ~Copyable>(_ session: consuming ExperimentSession<P>) {
    let held = Held(session)
    run = { try held.session.run(observing: $0, control: $1) }
    record = { try held.session.record(stopped: $0, snapshot: $1) }
    snapshot = { try held.session.snapshot(on: $0, origin: $1) }
    move = { try held.session.move($0, to: $1, on: $2, from: $3, control: $4) }
    prepare = { try held.session.prepare(for: $0) }
    release = { held.session.machine.release($0) }
  }

  /// What the members share.
  private final class Held<P: Policy & ~Copyable> {
    var session: ExperimentSession<P>
    init(_ session: consuming ExperimentSession<P>) { self.session = session }
  }
}

extension Experiment {
  /// Makes the machine and loads the guest.
  ///
  /// The costs that the policy needs are measured first, unless the terms have them.
  ///
  /// - Throws: `PolicyError.refused` when this host cannot honour the policy, and what making a session throws.
  func open(_ start: ExperimentStart, on kvm: borrowing KVM, terms: Terms) throws -> GuestSession {
    let terms = try terms.measured(for: policy, on: kvm)
    return try policy.make(on: kvm, terms: terms, for: Opening(experiment: self, start: start, terms: terms))
  }
}

private struct Opening: PolicyVisitor {
  let experiment: Experiment
  let start: ExperimentStart
  let terms: Terms

  func visit<P: Policy & ~Copyable>(_ policy: consuming P, on kvm: borrowing KVM) throws -> GuestSession {
    GuestSession(try ExperimentSession(experiment, from: start, policy: policy, terms: terms, on: kvm))
  }
}
