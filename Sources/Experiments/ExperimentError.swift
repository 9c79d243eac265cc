// The errors of experiments.

public import GuestImages
public import Registers

/// An experiment that gives no result.
public enum ExperimentError: Error, Sendable {
  /// More samples than possible, or none.
  case sampleCount(Int)
  /// Fewer iterations than samples, or more than a sample can count.
  case iterationCount(Int, samples: Int)
  /// The guest cannot pause after this number of iterations.
  case pause(after: Int, of: Int, samples: Int)
  /// A guest with an image of the user's cannot be put into a snapshot, which describes guests of this project alone.
  case imageStays
  /// A snapshot describes no experiment: why.
  case snapshot(String)
  /// Guests on this host cannot run the workload: the reason.
  case workloadRefused(Known<Workload.Name>, String)
  /// A benchmark's selection contradicts itself: how.
  case nothingToMeasure(String)
  /// This host can run no cell of a benchmark's selection: each cell with the reason.
  case nothingMeasurable([(cell: String, reason: String)])
  /// The guest stopped on its own exception.
  case guestFault(GuestFault)
  /// The guest's mailbox or samples have impossible contents.
  case mailbox(String)
  /// The witnesses disagree: each contradiction in a sentence.
  case contradiction([String])
  /// None of the kernel entries switches rings here: each with what was seen.
  case noEntry([(Entry, String)])
  /// Facts about the host that the experiment needs could not be proved: each with the reason.
  case unproved([(what: String, failure: ProofFailure)])
  /// A snapshot's guest may not continue on this host: the reason.
  case mayNotGoOn(String)
  /// This host cannot run a kernel that was to be measured: the reason.
  case kernelRefused(String)
  /// A kernel ended before it had measured its work: how.
  case kernelEnded(String)
}

extension ExperimentError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .sampleCount(let count):
      "\(count) samples: from 1 to \(SampleRecord.maximumCount) are possible"
    case .iterationCount(let iterations, let samples):
      "\(iterations) iterations over \(samples) samples: every sample needs at least one, and at most \(UInt32.max - 1)"
    case .pause(let iterations, let total, let samples):
      "a pause after \(iterations) iterations: from 0 to \(total - 1) of \(total) are possible"
        + (samples < 2 ? ", and with one sample only 0" : "")
    case .imageStays:
      "a guest from an image of its own can be run here only: a snapshot names a workload of Spectrap's, and has no place "
        + "for what another promises"
    case .snapshot(let text): "the snapshot describes an unknown experiment: \(text)"
    case .workloadRefused(let name, let reason): "workload \(name.text) cannot run on this host: \(reason)"
    case .nothingToMeasure(let text): text
    case .nothingMeasurable(let cells):
      "none of the selected cells can be measured on this host: " + Self.reasons(of: cells)
        + "; `spectrap list` shows what can"
    case .guestFault(let fault): "the guest stopped on its own exception: \(fault)"
    case .mailbox(let text): "the guest's mailbox does not make sense: \(text)"
    case .contradiction(let sentences):
      "the counters contradict what the guest was built to do, so this is no result: "
        + sentences.joined(separator: "; ")
    case .noEntry(let seen):
      "no kernel entry switches rings on this host: "
        + seen.map { "\($0.0.rawValue): \($0.1)" }.joined(separator: "; ") + "; use --entry none"
    case .unproved(let proofs):
      "it is not known what works on this host, because it could not be tried: "
        + Self.reasons(of: proofs.map { ($0.what, "\($0.failure)") })
    case .mayNotGoOn(let reason): "the guest may not go on here: \(reason)"
    case .kernelRefused(let reason): reason
    case .kernelEnded(let how): "the kernel gave no result: \(how)"
    }
  }

  /// Each reason once, with its cells.
  private static func reasons(of cells: [(cell: String, reason: String)]) -> String {
    var reasons: [String] = []
    for cell in cells where !reasons.contains(cell.reason) { reasons.append(cell.reason) }
    return reasons.map { reason in
      let names = cells.filter { $0.reason == reason }.map(\.cell)
      return names[0] + (names.count > 1 ? " and \(names.count - 1) more" : "") + ": " + reason
    }.joined(separator: "; ")
  }
}
