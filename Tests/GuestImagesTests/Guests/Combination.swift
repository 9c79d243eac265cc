// Every guest there is: the combinations of workload and entry that make sense.

import Registers
import Testing

@testable import GuestImages

/// A workload under an entry.
struct Combination: Hashable, Sendable, CustomTestStringConvertible {
  let workload: Workload.Name
  let entry: Entry
  var variant = Variant.ordinary

  /// What is chosen of a workload.
  enum Variant: Hashable, Sendable {
    case ordinary
    case baseline
    case ibrs(writes: Int, exits: Int)
    case branches(Int)
    case delay(Int)
    case phases(length: Int)
  }

  var testDescription: String {
    "\(workload.rawValue)\(variant == .ordinary ? "" : " \(variant)") with \(entry.rawValue)"
  }

  /// The workload, about its own MSR unless another is given.
  func made(msr: MSR? = nil) -> Workload {
    switch variant {
    case .ordinary: Workload(workload, msr: msr)
    // Only of primitives, which all have one.
    case .baseline: Workload(workload, msr: msr).baseline!
    case .ibrs(let writes, let exits): .ibrs(msr ?? .specCtrl, writes: writes, exits: exits)
    case .branches(let count):
      switch workload {
      case .ibrsAll: .ibrsAll(msr ?? .specCtrl, userBranches: count)
      case .ibrsForced: .ibrsForced(msr ?? .specCtrl, userBranches: count)
      default: .ibrs(msr ?? .specCtrl, userBranches: count)
      }
    case .delay(let instructions): .delay(instructions)
    case .phases(let length): .phases(msr ?? .specCtrl, length: length)
    }
  }

  /// The guest.
  func image(msr: MSR? = nil) throws -> GuestImage { try GuestImage(made(msr: msr), entry: entry) }

  static let all = Workload.Name.allCases.flatMap { name in
    Entry.allCases.map { Combination(workload: name, entry: $0) }
  }

  /// The workloads that have no user mode.
  private static let inRing0: Set<Workload.Name> = [
    .probe, .wrmsr, .rdmsr, .cpuid, .out, .outTwice, .outInterrupted, .mmio, .hlt, .delay,
  ]
  /// Those that make sense with their default parameters.
  private static let ordinary = all.filter { !inRing0.contains($0.workload) || $0.entry == .none }
  static let primitives = ordinary.filter { inRing0.contains($0.workload) && $0.workload != .probe }
  /// All that make sense.
  static let possible: [Combination] =
    ordinary + primitives.map { Combination(workload: $0.workload, entry: .none, variant: .baseline) }
    + Entry.allCases.flatMap { entry in
      [(1, 0), (4, 3), (0, 1), (64, 64)].map {
        Combination(workload: .ibrs, entry: entry, variant: .ibrs(writes: $0.0, exits: $0.1))
      }
    }
    + Entry.ringSwitching.flatMap { entry in
      [Workload.Name.ibrs, .ibrsAll, .ibrsForced].map {
        Combination(workload: $0, entry: entry, variant: .branches(100))
      }
    } + [0, 1, 1000].map { Combination(workload: .delay, entry: .none, variant: .delay($0)) }
    + Entry.allCases.map { Combination(workload: .phases, entry: $0, variant: .phases(length: 7)) }
  /// Those that do not.
  static let impossible = all.filter { !possible.contains($0) }
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
