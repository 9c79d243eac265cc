// What is to be known of an experiment where its guest goes on: the part of a snapshot that is ours.

import GuestImages
public import Hypervisor
public import Migration

/// A guest of an experiment, outside any host.
public typealias ExperimentSnapshot = Snapshot<ExperimentState>

/// An experiment half done.
public struct ExperimentState: Codable, Sendable {
  public let workload: String
  public let parameters: [String: Int]
  /// The MSR that the workload is about.
  public let msr: UInt32
  public let entry: String
  /// How many iterations each sample has.
  public let orders: [UInt32]
  /// Before which sample a pause was ordered.
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
  /// What the subject was when the guest first started.
  public let subjectAtStart: SubjectValue
  /// By how much KVM's statistics have grown, nil where KVM had none.
  public let kvmStatistics: [String: UInt64]?
  /// When accesses of the subject have exited so far.
  public let interception: RunRecord.Interception
  /// What the policies have counted.
  public let tally: [String: UInt64]
  /// Host cycles in which the guest ran.
  public let hostCycles: UInt64
}

extension ExperimentState {
  /// Why no guest of an experiment has this memory, nil where it does.
  static func refusal(ofMemory memory: [GuestPhysicalRange]) -> String? {
    guard memory != [GuestPhysicalRange(start: 0, count: Layout.memorySize)] else { return nil }
    let size = memory.reduce(0) { $0 + $1.count }
    return "its memory is not that of our guests: it has \(size) bytes, and they have \(Layout.memorySize) from 0 on"
  }

  /// When accesses have exited, as far as it shows in the counts: a register that was never opened was always closed.
  var interceptionSoFar: RunRecord.Interception {
    interception == .atTimes && (tally["opens"] ?? 0) == 0 ? .always : interception
  }
}

extension Experiment {
  /// The experiment that a snapshot is of, under its own policy or another.
  ///
  /// - Throws: `ExperimentError.snapshot` when it describes none.
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
    guard (1...SampleRecord.maximumCount).contains(state.orders.count), !state.orders.contains(0),
      (0...state.orders.count).contains(state.samplesTaken), state.orders.indices.contains(state.pause ?? 0)
    else { throw .snapshot("its samples are none that could be ordered") }
    guard state.tally.keys.allSatisfy(\.isWord), (state.kvmStatistics ?? [:]).keys.allSatisfy(\.isWord),
      (state.tally["closes"] ?? 0) <= (state.tally["opens"] ?? 0)
    else { throw .snapshot("its counts are none that a policy or KVM makes") }
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
    iterationsPerSample = state.orders
    pause = state.pause
    acceptsUnprotected = state.acceptsUnprotected
  }
}

extension String {
  /// Whether it can be the name of a count: letters, digits and underscores, and not many.
  fileprivate var isWord: Bool {
    (1...64).contains(utf8.count)
      && utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5a).contains($0 & ~0x20) || $0 == 0x5f }
  }
}
