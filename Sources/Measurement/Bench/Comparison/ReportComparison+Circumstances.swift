// Compares the circumstances of two benchmarks: those that must be the same, and those that are only noted.

import Registers

extension ReportComparison.Circumstance {
  /// The differences that matter: in the register, processor, microcode, kernel, KVM's module and its parameters,
  /// mitigations, SMT, frequency control, the hypervisor below, the clock's rate and unit, and the kind of CPU that was
  /// measured on.
  static func differences(_ first: BenchRecord, _ second: BenchRecord) -> [Self] {
    let one = first.host
    let other = second.host
    func text(_ value: (some CustomStringConvertible)?) -> String { value.map { "\($0)" } ?? "unknown" }
    let plain: [(name: String, first: String, second: String)] = [
      ("register", first.msr.name, first.msr.index == second.msr.index ? first.msr.name : second.msr.name),
      ("CPU vendor", text(one.cpu.vendor), text(other.cpu.vendor)),
      ("CPU model", text(one.cpu.model), text(other.cpu.model)),
      ("CPU family", text(one.cpu.family), text(other.cpu.family)),
      ("CPU model number", text(one.cpu.modelNumber), text(other.cpu.modelNumber)),
      ("CPU stepping", text(one.cpu.stepping), text(other.cpu.stepping)),
      ("microcode", text(one.cpu.microcode), text(other.cpu.microcode)),
      ("kernel", text(one.kernel), text(other.kernel)),
      ("KVM module", one.module, other.module),
      ("SMT", text(one.smt), text(other.smt)),
      ("governors", one.governors.text, other.governors.text),
      ("turbo", text(one.turbo), text(other.turbo)),
      ("virtualised by", one.machineBelow, other.machineBelow),
      ("speculative store bypass", one.processStoreBypass, other.processStoreBypass),
      ("indirect branch speculation", one.processIndirectBranch, other.processIndirectBranch),
      (
        "clock counts instructions", text(first.environment.countsInstructions),
        text(second.environment.countsInstructions)
      ),
    ]
    return plain.filter { $0.first != $0.second }.map {
      Self(kind: .host, name: $0.name, first: $0.first, second: $0.second)
    }
      + clock(first.clock.hertz, second.clock.hertz)
      + processors("", first.environment.processor, second.environment.processor)
      + processors("neighbour's ", first.environment.neighbourProcessor, second.environment.neighbourProcessor)
      + parameters(one, other)
      + differences(.mitigation, one.vulnerabilities, other.vulnerabilities)
      + guestKernels(first, second)
  }

  /// The parameters of KVM's module, without those that choose its way of switching SPEC_CTRL where that is what is
  /// compared: with lists, or mask and shadow, there are no nested guests.
  private static func parameters(_ one: HostReport, _ other: HostReport) -> [Self] {
    let chosen: Set =
      ReportComparison.Modes(one, other) == nil ? [] : ["spec_ctrl_mode", "spec_ctrl_mask", "nested"]
    return differences(
      .parameter, one.moduleParameters.filter { !chosen.contains($0.key) },
      other.moduleParameters.filter { !chosen.contains($0.key) })
  }

  /// The reports on Spectre v2 of kernels in cells that both measured: kernels with other reports are other guests.
  private static func guestKernels(_ first: BenchRecord, _ second: BenchRecord) -> [Self] {
    let pairs = first.cells.compactMap { cell -> (name: String, first: String, second: String)? in
      guard let before = cell.kernel?.says, let after = second.cell(cell.id)?.kernel?.says, before != after else {
        return nil
      }
      return ("kernel of \(cell.id)", before, after)
    }
    return pairs.map { Self(kind: .mitigation, name: $0.name, first: $0.first, second: $0.second) }
  }

  /// The tolerance between two measurements of one clock's rate, which each boot measures anew.
  private static let sameRate = 0.001

  /// Two rates of the time-stamp counter.
  private static func clock(_ first: Double?, _ second: Double?) -> [Self] {
    if let first, let second, abs(first - second) <= sameRate * max(first, second) { return [] }
    guard first != second else { return [] }
    func text(_ hertz: Double?) -> String { hertz.map { "\(Decimal.text($0 / 1e6, digits: 1)) MHz" } ?? "unknown" }
    return [Self(kind: .host, name: "TSC", first: text(first), second: text(second))]
  }

  /// Two CPUs that something ran on; results of older versions do not contain their kind.
  private static func processors(
    _ whose: String, _ first: BenchEnvironment.Processor?, _ second: BenchEnvironment.Processor?
  ) -> [Self] {
    guard let first, let second else { return [] }
    func text(_ value: (some CustomStringConvertible)?) -> String { value.map { "\($0)" } ?? "unknown" }
    func megahertz(_ value: Double?) -> String { value.map { "\(Decimal.text($0, digits: 0)) MHz" } ?? "unknown" }
    return [
      ("core", text(first.core), text(second.core)), ("capacity", text(first.capacity), text(second.capacity)),
      ("highest frequency", megahertz(first.maximumMegahertz), megahertz(second.maximumMegahertz)),
    ].filter { $0.1 != $0.2 }.map { Self(kind: .host, name: whose + $0.0, first: $0.1, second: $0.2) }
  }

  private static func differences(_ kind: Kind, _ first: [String: String], _ second: [String: String]) -> [Self] {
    Set(first.keys).union(second.keys).sorted().filter { first[$0] != second[$0] }.map {
      Self(
        kind: kind, name: "\(kind.rawValue) \($0)", first: first[$0] ?? "none", second: second[$0] ?? "none")
    }
  }
}

extension HostReport {
  fileprivate var machineBelow: String { isVirtualised ? hypervisor ?? "an unknown hypervisor" : "bare metal" }
}

extension [String] {
  fileprivate var text: String { isEmpty ? "none" : sorted().joined(separator: ", ") }
}

extension ReportComparison.Modes {
  /// The modes of two hosts; nil if they are the same, or one is unknown.
  init?(_ first: HostReport, _ second: HostReport) {
    guard let one = first.specCtrlMode, let other = second.specCtrlMode, one != other else { return nil }
    self.init(first: one, second: other)
  }
}

extension ReportComparison {
  /// The policies that the hardware carried out in only one of the two, each in a sentence.
  static func mechanisms(_ common: [(before: CellRecord, after: CellRecord)]) -> [String] {
    let changes = common.compactMap { cell -> String? in
      guard let before = cell.before.mechanism, let after = cell.after.mechanism, before != after else { return nil }
      func text(_ mechanism: Known<PolicyMechanism>) -> String { mechanism.value?.summary ?? mechanism.text }
      return "\(cell.before.policy) is \(text(before)) in the first and \(text(after)) in the second."
    }
    return changes.uniqued
  }

  /// Differences that do not prevent a comparison, one sentence each.
  static func notes(_ first: BenchRecord, _ second: BenchRecord) -> [String] {
    var notes: [String] = []
    for (name, record) in [("first", first), ("second", second)] where record.ended == .cancelled {
      notes.append("The \(name) is partial: it was cancelled before everything was measured.")
    }
    if let one = first.identity, let other = second.identity {
      if one.host != other.host {
        notes.append("They are from two hosts: the first from \(one.host), the second from \(other.host).")
      } else if one.run == other.run {
        notes.append("Both are from the same run, which began at \(one.began).")
      }
    }
    let cpus = [first, second].map { $0.environment.cpu.map { "CPU \($0)" } ?? "no CPU in particular" }
    if cpus[0] != cpus[1] { notes.append("The first was measured on \(cpus[0]), the second on \(cpus[1]).") }
    return notes
  }
}
