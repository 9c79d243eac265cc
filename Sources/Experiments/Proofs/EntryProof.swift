// Proves which kernel entries switch to ring 0 on this host: a tiny guest tries each.

import GuestImages
public import Hypervisor

/// The proof of a kernel entry by a tiny guest.
public struct EntryProof: Equatable, Sendable {
  /// The result of the proof.
  public enum Result: Equatable, Sendable {
    /// The kernel ran in ring 0, and user mode continued after it.
    case works
    case fails
    /// The guest could not be run.
    case unknown(ProofFailure)
  }

  public let entry: Entry
  public let result: Result
  /// What was seen, in a sentence.
  public let seen: String

  /// Whether it is proved that the entry works.
  public var works: Bool { result == .works }

  /// The time limit of the guest, which makes two entries.
  private static let timeLimit = Duration.seconds(2)
  private static let iterations = 2

  init(of entry: Entry, result: Result, seen: String) {
    self.entry = entry
    self.result = result
    self.seen = seen
  }

  /// Tries an entry.
  ///
  /// The result is `unknown` when the guest could not be run.
  ///
  /// - Throws: `GuestImageError` when there is no such guest.
  public static func prove(_ entry: Entry, on kvm: borrowing KVM) throws -> EntryProof {
    let isIsolated = entry == .isolated
    let image = try GuestImage(isIsolated ? .isolationProof : .entryProof, entry: entry)
    do {
      if entry.needsPCID, !(try kvm.supportedCPUID().has(.pcid)) {
        return EntryProof(
          of: entry, result: .fails,
          seen: "guests of this KVM have no \(CPUFeature.pcid), which this entry's CR3 writes need")
      }
      let mailbox = try run(image, on: kvm)
      let ring = mailbox.entryCS & 3
      let isEntered = ring == 0 && mailbox.kernelEntries == UInt64(iterations)
      let works = isEntered && (!isIsolated || mailbox.showsIsolation)
      let tables = "CR3 was \(mailbox.entryCR3.hex) in the kernel and \(mailbox.userCR3.hex) in user mode"
      return EntryProof(
        of: entry, result: works ? .works : .fails,
        seen: isEntered && isIsolated
          ? "the kernel was entered in ring 0; \(tables)"
          : works ? "the kernel was entered in ring 0" : "the kernel's code ran in ring \(ring)")
    } catch {
      if let failure = error as? ProofFailure ?? ProofFailure(behind: error) {
        return EntryProof(of: entry, result: .unknown(failure), seen: "not known: \(failure)")
      }
      let seen =
        switch error {
        case ExperimentError.guestFault(let fault): "\(fault)"
        case let error as RunError: error.summary
        default: "\(error)"
        }
      return EntryProof(of: entry, result: .fails, seen: seen)
    }
  }

  /// This proof, if its result is known.
  ///
  /// - Throws: `ExperimentError.unproved` when it is not.
  public func made() throws(ExperimentError) -> EntryProof {
    if case .unknown(let failure) = result { throw .unproved([("entry \(entry.rawValue)", failure)]) }
    return self
  }

  /// The first candidate that works.
  ///
  /// - Throws: `ExperimentError.noEntry` when none does, and `ExperimentError.unproved` when the result of an earlier
  ///   candidate is not known.
  public static func proveBest(of candidates: [Entry], on kvm: borrowing KVM) throws -> EntryProof {
    var seen: [(Entry, String)] = []
    for entry in candidates {
      let proof = try prove(entry, on: kvm).made()
      if proof.works { return proof }
      seen.append((entry, proof.seen))
    }
    throw ExperimentError.noEntry(seen)
  }

  /// The mailbox of a guest without a policy, which has its view of the processor.
  static func report(on kvm: borrowing KVM) throws -> Mailbox {
    try run(try GuestImage(Workload(.bare), entry: .none), on: kvm)
  }

  private static func run(_ image: GuestImage, on kvm: borrowing KVM) throws -> Mailbox {
    var machine = try Machine(on: kvm)
    try machine.load(image, iterations: [UInt32(iterations)])
    var ports = GuestPorts()
    var observer = NoObserver()
    let end = try machine.run(&ports, observer: &observer, control: RunControl(timeLimit: timeLimit))
    guard end == .finished else { throw ProofFailure.timedOut(timeLimit) }
    let mailbox = try machine.mailbox()
    if let fault = mailbox.fault { throw ExperimentError.guestFault(fault) }
    return mailbox
  }
}
