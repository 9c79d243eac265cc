// A guest outside any host: its machine's state, its work, and its memory. It is written to a file (SnapshotFile) or
// sent to another host (Transfer).

public import Hypervisor

/// A guest without its memory.
///
/// `Work` is what the embedder needs to continue it.
public struct PortableGuest<Work: Codable & Sendable>: Codable, Sendable {
  /// The name of the host that it comes from.
  public var origin: String
  /// The policy that it ran under.
  public var policy: String
  /// What was given up when it was moved against advice: repeated in every later result.
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

  /// The most warnings that a guest can have.
  static var maximumWarnings: Int { 64 }

  /// Adds a warning for every later result of the guest, unless it has it already; the last one makes room if needed.
  public mutating func warn(_ text: String) {
    let text = text.plain
    guard !warnings.contains(text) else { return }
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
