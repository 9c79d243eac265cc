// Made-up cells, hosts and reports: a cost in, rounds with a little noise around it out.

import FoundationEssentials
import JSONValues
import Registers

@testable import Measurement

enum MadeUp {
  typealias Cell = CellRecord

  /// A host; by default Intel's VMX on bare metal without IBRS_ALL.
  static func host(
    module: String = "kvm_intel", hypervisor: String? = nil, ibrsAll: Bool? = false, kernel: String = "6.12.0"
  ) -> HostReport {
    HostReport(
      kernel: kernel, module: module, moduleParameters: ["ept": "Y"],
      cpu: HostReport.CPU(
        vendor: "GenuineIntel", model: "Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz", family: 6, modelNumber: 79,
        stepping: 1, microcode: "0xb000040", logicalCount: 28),
      isVirtualised: hypervisor != nil, hypervisor: hypervisor,
      vulnerabilities: ["spectre_v2": "Mitigation: Retpolines, IBPB: conditional"],
      tsc: HostReport.TSC(hertz: 2.6e9, source: "KVM_GET_TSC_KHZ", invariant: true, isClocksource: true), smt: "off",
      governors: ["performance"], turbo: false, processStoreBypass: "thread vulnerable",
      processIndirectBranch: "not affected",
      speculation: HostReport.Speculation(
        cpu: SpeculationView(
          ibrs: true, stibp: true, ssbd: true, ibpb: true, ibrsAll: ibrsAll, archCapabilities: nil),
        kvm: nil, guest: nil))
  }

  /// A cell of about this cost, in rounds of ten samples.
  static func cell(
    _ workload: String, _ entry: String, _ policy: String, cost: Double, noise: Double = 0.005,
    rounds: Int = 8, msr: String? = nil, beside neighbour: Cell.Neighbour? = nil, writes: Int = 0, exits: Int = 0,
    branches: Int? = nil, place: Cell.Place = .none, over divisor: String? = nil, minus subtrahend: String? = nil
  ) -> Cell {
    var cell = Cell(
      workload: Known(workload), entry: Known(entry), policy: Known(policy), msr: msr.map { Known($0) },
      neighbour: neighbour, writesPerEntry: writes,
      exitsPerEntry: exits, userBranches: branches, place: place, iterationsPerSample: 1000,
      vmmExitsPerEntry: Double(exits + (place == .vmm ? writes : 0)),
      kvmExitsPerEntry: Double(exits + (place == .vmm || place == .kvm ? writes : 0)),
      baseline: divisor ?? subtrahend, baselineUse: divisor != nil ? .divide : subtrahend != nil ? .subtract : nil)
    var generator = SeededGenerator(seed: 18, stream: cell.id)
    for _ in 0..<rounds {
      cell.add(round: (0..<10).map { _ in cost * (1 + Double.random(in: -noise...noise, using: &generator)) })
    }
    return cell
  }

  /// A cell that is not there.
  static func absent(
    _ workload: String, _ entry: String, _ policy: String, msr: String? = nil, writes: Int = 0,
    place: Cell.Place = .none, status: Cell.Status = .unsupported, _ reason: String
  ) -> Cell {
    Cell(
      workload: Known(workload), entry: Known(entry), policy: Known(policy), msr: msr.map { Known($0) },
      writesPerEntry: writes, place: place, status: status,
      reason: reason)
  }

  /// What was measured, with these cells.
  static func record(
    _ cells: [Cell], host: HostReport = host(), msr: BenchReport.Subject = .specCtrl,
    environment: BenchEnvironment = BenchEnvironment(cpu: 2), warnings: [String] = [], seed: UInt64 = 20_180_216
  ) -> BenchRecord {
    BenchRecord(
      version: "0.1.0", ended: .precision, seed: seed, precision: 0.02, timeBudget: 30, elapsed: 12.3, host: host,
      msr: msr, environment: environment, warnings: warnings,
      clock: BenchReport.Clock(overheadCycles: 25.5, hertz: 2.6e9), cells: cells)
  }

  /// The report of these cells; `change` is for what else was measured.
  static func report(
    _ cells: [Cell], host: HostReport = host(), msr: BenchReport.Subject = .specCtrl,
    environment: BenchEnvironment = BenchEnvironment(cpu: 2),
    warnings: [String] = [], seed: UInt64 = 20_180_216, _ change: (inout BenchRecord) -> Void = { _ in }
  ) -> BenchReport {
    var record = record(cells, host: host, msr: msr, environment: environment, warnings: warnings, seed: seed)
    change(&record)
    return BenchReport(record)
  }

  /// What a write and an exit cost under each policy on the made-up host, in cycles.
  static let perWrite = ["passthrough": 520.0, "manual": 525, "autoload": 522, "emulate": 1100, "shadow": 1450]
  static let perExit = ["passthrough": 2400.0, "manual": 2550, "autoload": 2900, "emulate": 1900, "shadow": 1905]
  static let policies = ["passthrough", "manual", "autoload", "emulate", "shadow"]

  /// A whole benchmark of a plausible host.
  static let whole = wholeReport()

  private static func wholeReport() -> BenchReport {
    let loop = "bare/none/passthrough"
    var cells = [
      cell("bare", "none", "passthrough", cost: 2),
      cell("wrmsr", "none", "passthrough", cost: 1402, noise: 0.05, msr: "0x3b", writes: 1, place: .kvm, minus: loop),
      cell("wrmsr", "none", "emulate", cost: 2102, noise: 0.1, msr: "0x48", writes: 1, place: .vmm, minus: loop),
      cell("wrmsr", "none", "passthrough", cost: 522, msr: "0x48", writes: 1, place: .hardware, minus: loop),
      cell("cpuid", "none", "passthrough", cost: 1302, noise: 0.02, place: .kvm, minus: loop),
      cell("out", "none", "passthrough", cost: 1902, noise: 0.07, exits: 1, place: .vmm, minus: loop),
      absent("mmio", "none", "passthrough", status: .failed, "the guest faulted at 0x10042, vector 14"),
    ]
    let bare = "bare/syscall/passthrough"
    for policy in policies {
      let perWrite = perWrite[policy] ?? 0
      let perExit = perExit[policy] ?? 0
      let trapped = policy == "emulate" || policy == "shadow"
      let isBase = policy == "passthrough"
      cells.append(cell("bare", policy, cost: 700, over: isBase ? nil : bare))
      cells.append(cell("retpoline", policy, cost: 730, over: bare))
      cells.append(cell("retpoline", policy, cost: 730 + perExit, exits: 1, over: bare))
      for (writes, exits) in [(1, 0), (2, 0), (4, 0), (8, 0), (2, 1), (2, 2), (4, 1), (4, 4)] {
        cells.append(
          cell(
            "ibrs", policy, cost: 700 + perWrite * Double(writes) + perExit * Double(exits), msr: "0x48",
            writes: writes, exits: exits, place: trapped ? .vmm : .hardware, over: bare))
      }
      cells.append(cell("chatty", policy, cost: 700 + perExit, exits: 1, over: bare))
      for neighbour in Cell.Neighbour.allCases {
        cells.append(
          cell(
            "chatty", policy, cost: 760 + perExit * 1.1, beside: neighbour, exits: 1, over: bare))
      }
    }
    cells.append(
      cell("ibrs", "passthrough", cost: 3500, msr: "0x3b", writes: 2, place: .kvm, over: bare))
    cells += system2018
    cells.append(
      absent("ibrs", "sysenter", "passthrough", msr: "0x48", "SYSENTER does not switch to ring 0 here, says the guest"))
    return report(
      cells, environment: BenchEnvironment(cpu: 2, loadBefore: 0.1, loadAfter: 1, stealShare: 0.012, siblingShare: 0.3),
      warnings: ["1.2 % of the CPU's time was stolen by another virtual machine: intervals are wider than they need be"]
    )
  }
}

extension MadeUp {
  /// A system call of 2018 on the made-up host: empty, with two writes in the register, with two that KVM ends.
  static let system2018 = isolated(entry: 1100, write: 520, trap: 1400)

  /// The entry `isolated` of these costs; of the entry, of a write and of a trap.
  static func isolated(entry: Double, write: Double, trap: Double, noise: Double = 0.005) -> [Cell] {
    let bare = "bare/isolated/emulate"
    return [
      cell("bare", "isolated", "emulate", cost: entry + 2, noise: noise),
      cell(
        "ibrs", "isolated", "passthrough", cost: entry + 2 + 2 * write, noise: noise, msr: "0x48", writes: 2,
        place: .hardware, over: bare),
      cell(
        "ibrs-zero", "isolated", "passthrough", cost: entry + 2 + 2 * trap, noise: noise, msr: "0x48", writes: 2,
        place: .kvm, over: bare),
    ]
  }

  /// The empty loop without user mode, that an entry's cost is beside.
  static let emptyLoop = cell("bare", "none", "passthrough", cost: 2)
}

extension CellRecord {
  /// Adds a round's samples, in cycles per iteration.
  mutating func add(round: [Double]) { rounds.append(round) }
}

extension BenchReport {
  /// The report with something else under a key, as a file may have it.
  func replacing(_ key: String, with value: some Encodable) throws -> BenchReport {
    func json(_ value: some Encodable) throws -> JSONValue {
      try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value))
    }
    guard case .object(var members) = try json(self) else { throw NoObject() }
    members[key] = try json(value)
    return try JSONDecoder().decode(BenchReport.self, from: JSONEncoder().encode(JSONValue.object(members)))
  }

  private struct NoObject: Error {}

  /// What it says of a claim.
  func verdict(on claim: Claim) -> Verdict { verdicts.first { $0.claim == claim }! }
}

extension MadeUp {
  /// A cell by the entry `syscall`.
  static func cell(
    _ workload: String, _ policy: String, cost: Double, noise: Double = 0.005, rounds: Int = 8, msr: String? = nil,
    beside neighbour: Cell.Neighbour? = nil, writes: Int = 0, exits: Int = 0, branches: Int? = nil,
    place: Cell.Place = .none, over divisor: String? = nil
  ) -> Cell {
    cell(
      workload, "syscall", policy, cost: cost, noise: noise, rounds: rounds, msr: msr, beside: neighbour,
      writes: writes, exits: exits, branches: branches, place: place, over: divisor)
  }
}
