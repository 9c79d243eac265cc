// A guest outside any host: its machine's state, what it was doing, and its memory. It becomes a file (SnapshotFile),
// or goes over a socket to another host (Transfer).

public import Hypervisor

/// All of a guest but its memory.
///
/// `Work` is what the embedder wants to know of it where it goes on.
public struct PortableGuest<Work: Codable & Sendable>: Codable, Sendable {
  /// The host that it comes from, in words.
  public var origin: String
  /// The policy that it ran under.
  public var policy: String
  /// What was given up when it was moved against advice: said with every result from then on.
  public var warnings: [String]
  public var machine: MachineState
  public var work: Work

  /// A guest of these parts.
  public init(origin: String, policy: String, warnings: [String], machine: MachineState, work: Work) {
    self.origin = origin
    self.policy = policy
    self.warnings = warnings
    self.machine = machine
    self.work = work
  }

  /// The most warnings that a guest has.
  static var maximumWarnings: Int { 64 }

  /// Adds a warning that every later output of the guest says, unless it has it already.
  public mutating func warn(_ text: String) {
    let text = text.plain
    guard !warnings.contains(text) else { return }
    // A guest that has moved so often has lost more than anyone reads.
    if warnings.count >= Self.maximumWarnings { warnings.removeLast(warnings.count - Self.maximumWarnings + 1) }
    warnings.append(text)
  }
}

/// A guest as a value: its state, and those pages of its memory that are not all zeroes.
public struct Snapshot<Work: Codable & Sendable>: Sendable {
  public var guest: PortableGuest<Work>
  /// In ascending order of their addresses.
  public var pages: [GuestPage]

  /// A snapshot of these parts.
  public init(guest: PortableGuest<Work>, pages: [GuestPage]) {
    self.guest = guest
    self.pages = pages
  }
}
