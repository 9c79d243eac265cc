// Which kernel entries really switch to ring 0 on this host: each is tried by a tiny guest.

import GuestImages
public import Hypervisor

/// What a tiny guest saw when it tried a kernel entry.
public struct EntryProof: Equatable, Sendable {
  /// What follows from it.
  public enum Result: Equatable, Sendable {
    /// The kernel ran in ring 0, and user mode went on after it.
    case works
    /// It did not.
    case fails
    /// The guest could not be run: nothing follows.
    case unknown(ProofFailure)
  }

  public let entry: Entry
  public let result: Result
  /// What was seen, in a sentence.
  public let seen: String

  /// Whether it is proved that the entry works.
  public var works: Bool { result == .works }

  /// How long the guest may take: it makes two entries.
  private static let timeLimit = Duration.seconds(2)
  private static let iterations = 2

  /// What was seen of an entry.
  init(of entry: Entry, result: Result, seen: String) {
    self.entry = entry
    self.result = result
    self.seen = seen
  }

  /// Tries an entry.
  ///
  /// A guest that fails is an answer, and one that could not be run is none (`Result.unknown`).
  ///
  /// - Throws: `GuestImageError` when there is no such guest.
  public static func prove(_ entry: Entry, on kvm: borrowing KVM) throws -> EntryProof {
    let image = try GuestImage(.entryProof, entry: entry)
    do {
      let mailbox = try run(image, on: kvm)
      let ring = mailbox.entryCS & 3
      let works = ring == 0 && mailbox.kernelEntries == UInt64(iterations)
      return EntryProof(
        of: entry, result: works ? .works : .fails,
        seen: works ? "the kernel was entered in ring 0" : "the kernel's code ran in ring \(ring)")
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

  /// The proof itself, if it is one.
  ///
  /// - Throws: `ExperimentError.unproved` when it could not be made.
  public func made() throws(ExperimentError) -> EntryProof {
    if case .unknown(let failure) = result { throw .unproved([("entry \(entry.rawValue)", failure)]) }
    return self
  }

  /// The first entry that works, in the order of preference.
  ///
  /// - Throws: `ExperimentError.noEntry` when none does, and `ExperimentError.unproved` when it is not known of one
  ///   that is preferred.
  public static func proveBest(of candidates: [Entry], on kvm: borrowing KVM) throws -> EntryProof {
    var seen: [(Entry, String)] = []
    for entry in candidates {
      let proof = try prove(entry, on: kvm).made()
      if proof.works { return proof }
      seen.append((entry, proof.seen))
    }
    throw ExperimentError.noEntry(seen)
  }

  /// What a guest without any policy writes into its mailbox: how it sees the processor.
  static func report(on kvm: borrowing KVM) throws -> Mailbox {
    try run(try GuestImage(Workload(.bare), entry: .none), on: kvm)
  }

  private static func run(_ image: GuestImage, on kvm: borrowing KVM) throws -> Mailbox {
    var machine = try Machine(on: kvm)
    try machine.load(image, orders: [UInt32(iterations)])
    var ports = GuestPorts()
    var observer = NoObserver()
    let end = try machine.run(&ports, observer: &observer, control: RunControl(timeLimit: timeLimit))
    guard end == .finished else { throw ProofFailure.timedOut(timeLimit) }
    let mailbox = try machine.mailbox()
    if let fault = mailbox.fault { throw ExperimentError.guestFault(fault) }
    return mailbox
  }
}
