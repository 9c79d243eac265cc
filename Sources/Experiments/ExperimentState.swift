// The part of a snapshot that describes the experiment.

import GuestImages
public import Hypervisor
public import Migration

/// A guest of an experiment, outside any host.
public typealias ExperimentSnapshot = Snapshot<ExperimentState>

/// The state of an unfinished experiment.
public struct ExperimentState: Codable, Sendable {
  public let workload: String
  public let parameters: [String: Int]
  /// The MSR that the workload is about.
  public let msr: UInt32
  public let entry: String
  public let iterationsPerSample: [UInt32]
  /// The sample before which the guest pauses.
  public let pause: Int?
  /// How many samples were taken before the guest was stopped.
  public let samplesTaken: Int
  /// Whether it was stopped between two samples, at its pause; otherwise the next sample is interrupted.
  public let isBetweenSamples: Bool
  /// `Protection.Level` where it ran last.
  public let protection: String
  /// Whether IA32_PRED_CMD took its barriers there (`HostOffer.hasIBPB`).
  public let hasIBPB: Bool
  /// Whether the user accepted that the policy gives up a protection.
  public let acceptsUnprotected: Bool
  /// The subject's value when the guest first started.
  public let subjectAtStart: SubjectValue
  /// The growth of KVM's statistics; nil where KVM had none.
  public let kvmStatistics: [String: UInt64]?
  /// When accesses of the subject exited so far.
  public let interception: RunRecord.Interception
  /// The policies' counts.
  public let tally: [String: UInt64]
  /// Host cycles in which the guest ran.
  public let hostCycles: UInt64

  private enum CodingKeys: String, CodingKey {
    case workload, parameters, msr, entry, iterationsPerSample = "orders", pause, samplesTaken, isBetweenSamples
    case protection, hasIBPB, acceptsUnprotected, subjectAtStart, kvmStatistics, interception, tally, hostCycles
  }
}

extension ExperimentState {
  /// Why no guest of an experiment has this memory; nil where one has.
  static func refusal(ofMemory memory: [GuestPhysicalRange]) -> String? {
    guard memory != [GuestPhysicalRange(start: 0, count: Layout.memorySize)] else { return nil }
    let size = memory.reduce(0) { $0 + $1.count }
    return "its memory is not that of our guests: it has \(size) bytes, and they have \(Layout.memorySize) from 0 on"
  }

  /// When accesses exited, by the counts: a register that was never opened was always closed.
  var interceptionSoFar: RunRecord.Interception {
    interception == .atTimes && (tally["opens"] ?? 0) == 0 ? .always : interception
  }
}

extension Experiment {
  /// The experiment of a snapshot, under its own policy or another.
  ///
  /// - Throws: `ExperimentError.snapshot` when the snapshot describes no experiment.
  init(resuming snapshot: ExperimentSnapshot, under policy: PolicyName? = nil) throws(ExperimentError) {
    let state = snapshot.guest.work
    guard let name = Workload.Name(rawValue: state.workload) else {
      throw .snapshot("there is no workload \"\(state.workload)\"")
    }
    guard let entry = Entry(rawValue: state.entry) else { throw .snapshot("there is no entry \"\(state.entry)\"") }
    guard Workload(name).entries.contains(entry) else {
      throw .snapshot("workload \(name.rawValue) does not run with entry \(entry.rawValue)")
    }
    guard let own = PolicyName(rawValue: snapshot.guest.policy) else {
      throw .snapshot("there is no policy \"\(snapshot.guest.policy)\"")
    }
    let iterations = state.iterationsPerSample
    guard (1...SampleRecord.maximumCount).contains(iterations.count), !iterations.contains(0),
      (0...iterations.count).contains(state.samplesTaken), iterations.indices.contains(state.pause ?? 0)
    else { throw .snapshot("its samples are impossible") }
    guard state.tally.keys.allSatisfy(\.isCountName), (state.kvmStatistics ?? [:]).keys.allSatisfy(\.isCountName),
      (state.tally["closes"] ?? 0) <= (state.tally["opens"] ?? 0)
    else { throw .snapshot("neither a policy nor KVM makes such counts") }
    guard snapshot.guest.machine.counters.subject == snapshot.guest.machine.subject else {
      throw .snapshot("its policy and its counters are about different MSRs")
    }
    if let reason = ExperimentState.refusal(ofMemory: snapshot.guest.machine.memory) { throw .snapshot(reason) }
    do { workload = try Workload(name, msr: MSR(state.msr), parameters: state.parameters) } catch {
      throw .snapshot("\(error)")
    }
    self.entry = entry
    self.policy = policy ?? own
    msr = snapshot.guest.machine.subject
    image = nil
    iterationsPerSample = iterations
    pause = state.pause
    acceptsUnprotected = state.acceptsUnprotected
  }
}

extension String {
  /// Whether it can be the name of a count: 1 to 64 letters, digits and underscores.
  fileprivate var isCountName: Bool {
    (1...64).contains(utf8.count)
      && utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5a).contains($0 & ~0x20) || $0 == 0x5f }
  }
}
