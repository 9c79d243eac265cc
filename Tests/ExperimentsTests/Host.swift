// What the tests that run guests need to know of this host: proved once, so that every expectation follows from a fact.

import Experiments
import GuestImages
import Hypervisor
import Measurement

/// This host, as far as experiments depend on it.
struct Host: Sendable {
  let proofs: HostProofs
  /// The entries that work here, `none` among them.
  let entries: [Entry]
  /// What each subject's policies can count on.
  let terms: [MSR: Terms]
  /// The workloads that no guest here can run as they are by default, each with the reason.
  let refusals: [Workload.Name: String]

  /// The MSRs that experiments are made with: the one that this is about, and one that every 64-bit guest has, so that
  /// no policy goes untested on hosts without SPEC_CTRL.
  static let subjects = [MSR.specCtrl, .kernelGSBase]

  /// A register that is opened after ten accesses and closed after eleven other exits.
  static let costs = AdaptiveCosts(access: 10, exit: 10, price: 100, wholeExit: 1000)

  private static let shared = Result { try Host() }

  /// The facts; throws where KVM cannot be had.
  static func proved() throws -> Host { try shared.get() }

  private init() throws {
    let kvm = try KVM()
    let proofs = try HostTrials.prove(on: kvm).complete()
    self.proofs = proofs
    entries = proofs.entries.filter(\.works).map(\.entry) + [.none]
    var refusals: [Workload.Name: String] = [:]
    for name in Workload.Name.allCases { refusals[name] = try Workload(name).proveRefusal(on: kvm) }
    self.refusals = refusals
    terms = Dictionary(
      uniqueKeysWithValues: try Self.subjects.map { subject in
        let abilities = try subject == .specCtrl ? proofs.abilities : HostAbilities.prove(subject, on: kvm)
        // Given, so that what `adaptive` does is the same at every run.
        return (subject, Terms(abilities, adaptiveCosts: abilities.register.isHeld ? Self.costs : nil))
      })
  }

  /// The entries that a workload can be run with here.
  func entries(of workload: Workload.Name) -> [Entry] { Workload(workload).entries.filter(entries.contains) }

  /// Whether a policy can be honoured here for this subject.
  func supports(_ policy: PolicyName, of subject: MSR) -> Bool {
    guard let terms = terms[subject], case .supported = policy.support(on: terms) else { return false }
    return true
  }
}

extension Experiment {
  /// Runs on a KVM opened for it, by what is known of the host, and not for ever.
  func run(
    observing observation: Observation = .nothing, control: RunControl = RunControl(timeLimit: .seconds(120))
  ) throws -> RunRecord {
    let kvm = try KVM()
    let terms = try Host.proved().terms[msr] ?? Terms.prove(msr, on: kvm)
    return try run(on: kvm, terms: terms, observing: observation, control: control)
  }
}
