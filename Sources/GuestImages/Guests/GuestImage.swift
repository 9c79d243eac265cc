// A guest as a value: its memory contents, its start state, and the actions that it will take.

public import Registers

/// A guest, ready to be loaded.
public struct GuestImage: Sendable {
  public let workload: Workload
  public let entry: Entry
  /// The memory contents before the start.
  public let contents: [MemoryImage]
  public let start: StartState
  /// The programs with their titles, for listings.
  public let programs: [(title: String, program: Program)]

  /// The guest of a workload under an entry.
  ///
  /// - Throws: `GuestImageError` if the workload does not run with the entry, and `AssemblyError` if the code cannot be
  ///   encoded.
  public init(_ workload: Workload, entry: Entry) throws {
    guard workload.entries.contains(entry) else { throw GuestImageError.noSuchEntry(workload, entry) }
    guard workload.userBranches == 0 || entry != .none else { throw GuestImageError.noUserMode(workload) }
    if workload.name == .probe {
      self = try ProbeGuest.image(workload, msr: workload.msr)
    } else {
      self = try KernelGuest(workload: workload, entry: entry).image()
    }
  }

  init(
    workload: Workload, entry: Entry, contents: [MemoryImage], start: StartState,
    programs: [(title: String, program: Program)]
  ) {
    self.workload = workload
    self.entry = entry
    self.contents = contents
    self.start = start
    self.programs = programs
  }

  /// The addresses of the kernel's labels.
  public var labels: [Label: UInt64] { programs.first?.program.labels ?? [:] }

  /// The memory that the VMM writes before the start: the number of samples, the iterations of each, and the sample
  /// before which the guest pauses.
  public static func sampleRecords(_ iterations: [UInt32], pausingBefore pause: Int? = nil) -> [MemoryImage] {
    let records = iterations.enumerated().flatMap { index, count in
      [UInt64(count) | (index == pause ? 1 << UInt64(SampleRecord.Offset.pause * 8) : 0), 0, 0]
    }
    return [
      MemoryImage(address: Layout.mailbox + UInt64(Mailbox.Offset.samples), words: [UInt64(iterations.count)]),
      MemoryImage(address: Layout.samples, words: records),
    ]
  }

  /// The listings of all programs, each under its title.
  public func renderListing() -> String {
    programs.map { "\($0.title)\n\($0.program.renderListing())" }.joined(separator: "\n")
  }
}

/// A guest that cannot be built.
public enum GuestImageError: Error, CustomStringConvertible {
  /// The workload does not run under the entry.
  case noSuchEntry(Workload, Entry)
  /// The workload needs a user mode, and the entry has none.
  case noUserMode(Workload)
  /// The code does not fit where the layout puts it.
  case tooLong(String)
  /// A workload's name is not valid: why.
  case name(String, String)
  /// A foreign image does not follow the ABI: how.
  case image(String)

  public var description: String {
    switch self {
    case .noSuchEntry(let workload, let entry):
      "workload \(workload.name.text) does not run with entry \(entry.rawValue); "
        + "it runs with \(workload.entries.map(\.rawValue).joined(separator: ", "))"
    case .noUserMode(let workload):
      "workload \(workload.name.text) makes its \(workload.userBranches) indirect branches in user mode, and entry "
        + "none has no user mode"
    case .name(let name, let reason): "a guest cannot be called \"\(name)\": \(reason)"
    case .image(let reason): reason
    case .tooLong(let what): "the \(what) is too long for its place in the guest's memory"
    }
  }
}
