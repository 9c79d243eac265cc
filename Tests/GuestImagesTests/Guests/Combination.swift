// Every guest there is: the combinations of workload and entry that make sense.

import Testing

@testable import GuestImages

/// A workload under an entry.
struct Combination: Hashable, Sendable, CustomTestStringConvertible {
  let workload: Workload.Name
  let entry: Entry

  var testDescription: String { "\(workload.rawValue) with \(entry.rawValue)" }

  /// The guest, about IA32_SPEC_CTRL unless another MSR is given.
  func image(msr: UInt32 = 0x48) throws -> GuestImage { try GuestImage(Workload(workload, msr: msr), entry: entry) }

  static let all = Workload.Name.allCases.flatMap { name in
    Entry.allCases.map { Combination(workload: name, entry: $0) }
  }

  /// Those that make sense: only `probe` has no user mode.
  static let possible = all.filter { $0.workload != .probe || $0.entry == .none }
  /// Those that run in 64-bit mode under a kernel.
  static let kernels = possible.filter { $0.workload != .probe }
}

extension GuestImage {
  var kernel: Program { programs[0].program }
  var user: Program? { programs.count > 1 ? programs[1].program : nil }
}

extension Program {
  /// The instructions between two labels.
  func instructions(from start: Label, to end: Label) throws -> ArraySlice<ListingLine> {
    let (first, last) = (try #require(labels[start]), try #require(labels[end]))
    return listing.filter { $0.kind == .instruction && (first..<last).contains($0.address) }[...]
  }
}

extension ListingLine {
  /// The instruction's name without its operands.
  var name: String { String(mnemonic.prefix { $0 != " " }) }
}
