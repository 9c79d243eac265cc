// The properties of a snapshot's guest for the decision whether it may continue here.

import Hypervisor
public import Migration

extension MovingGuest {
  /// The guest of an experiment's snapshot.
  ///
  /// - Throws: `ExperimentError.snapshot` when it names an unknown policy or protection.
  public init(_ snapshot: ExperimentSnapshot) throws(ExperimentError) {
    let (guest, machine) = (snapshot.guest, snapshot.guest.machine)
    guard let policy = PolicyName(rawValue: guest.policy) else {
      throw .snapshot("there is no policy \"\(guest.policy)\"")
    }
    guard let protection = Protection.Level(rawValue: guest.work.protection) else {
      throw .snapshot("there is no protection \"\(guest.work.protection)\"")
    }
    self.init(
      contract: machine.contract, policy: policy, subject: machine.subject, protection: protection,
      inUse: SpecCtrl(rawValue: machine.subjectValue ?? 0), hasIBPB: guest.work.hasIBPB,
      hasWritten: machine.counters.hasWrittenSubject, featureMSRs: FeatureMSRs(among: machine.cpu.msrs),
      tscKilohertz: machine.cpu.tscKilohertz)
  }
}
