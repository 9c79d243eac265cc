// The three MSR lists of a VMX guest, with the hardware's rules about their entries.
// Facts: Intel SDM vol. 3C, "Loading MSRs" at VM entries (27.4), "Saving MSRs" (28.4) and "Loading MSRs" (28.6) at VM
// exits; appendix A.6 (IA32_VMX_MISC: the recommended maximum is 512 entries). The hardware counts entries from 1.

/// The lists that VMX processes by itself: entry-load at each VM entry, exit-store and exit-load at each VM exit.
///
/// Invariant: each list is at most 512 entries long and holds no MSR that the hardware forbids there.
public struct AutoloadLists: Equatable, Sendable {
  /// The recommended maximum of entries in one list on every processor to date.
  public static let maximumCount = 512

  /// Which list.
  public enum Area: String, Sendable {
    case entryLoad = "entry-load", exitStore = "exit-store", exitLoad = "exit-load"
  }

  /// The guest's values, loaded in order before the guest runs.
  public let entryLoad: [MSREntry]
  /// The MSRs whose values are stored in order when the guest has stopped; stored into their entries of `entryLoad`.
  public let exitStore: [MSR]
  /// The host's values, loaded in order after that.
  public let exitLoad: [MSREntry]

  /// The lists as given.
  ///
  /// - Throws: `AutoloadListError` for the first entry that the hardware would refuse.
  public init(entryLoad: [MSREntry], exitStore: [MSR], exitLoad: [MSREntry]) throws(AutoloadListError) {
    try Self.check(entryLoad.map(\.msr), .entryLoad)
    try Self.check(exitStore, .exitStore)
    try Self.check(exitLoad.map(\.msr), .exitLoad)
    self.entryLoad = entryLoad
    self.exitStore = exitStore
    self.exitLoad = exitLoad
  }

  private static func check(_ msrs: [MSR], _ area: Area) throws(AutoloadListError) {
    guard msrs.count <= maximumCount else { throw .tooLong(area, count: msrs.count) }
    for (index, msr) in msrs.enumerated() {
      if let reason = forbidden(msr, in: area) { throw .forbidden(area, index: index + 1, msr, reason: reason) }
    }
  }

  /// Why the hardware refuses an MSR in a list; nil if it does not.
  static func forbidden(_ msr: MSR, in area: Area) -> String? {
    if msr.rawValue >> 8 == 0x8 { return "the x2APIC MSRs, 0x800 to 0x8ff, may not be in the list" }
    switch (msr, area) {
    case (.fsBase, .entryLoad), (.fsBase, .exitLoad), (.gsBase, .entryLoad), (.gsBase, .exitLoad):
      return "the bases of FS and GS are loaded from the VMCS"
    case (.smmMonitorControl, .entryLoad), (.smmMonitorControl, .exitLoad):
      return "it can be written in system-management mode only"
    case (.smBase, .exitStore): return "it can be read in system-management mode only"
    case (.biosUpdateTrigger, _), (.biosUpdateSignature, _):
      return "the MSRs of a microcode update may not be in the list"
    default: return nil
    }
  }
}

/// A list that the hardware would refuse.
public enum AutoloadListError: Error, Equatable, Sendable, CustomStringConvertible {
  /// More entries than the hardware processes.
  case tooLong(AutoloadLists.Area, count: Int)
  /// An MSR that may not be in the list; `index` counts from 1.
  case forbidden(AutoloadLists.Area, index: Int, MSR, reason: String)

  public var description: String {
    switch self {
    case .tooLong(let area, let count):
      "the \(area.rawValue) list has \(count) entries; the hardware takes at most \(AutoloadLists.maximumCount)"
    case .forbidden(let area, let index, let msr, let reason):
      "entry \(index) of the \(area.rawValue) list is \(msr) (\(msr.hex)): \(reason)"
    }
  }
}
