// `spectrap probe`: the host, in a table that a person reads in ten seconds.

import ArgumentParser
import Experiments
import Hypervisor
import Measurement
import Migration

struct Probe: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract: "Says what this host is and can do, each fact proved where a proof is possible.")

  @OptionGroup var kvm: KVMOptions
  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  func run() throws {
    try Failure.reporting {
      var host = HostReport()
      var offer: HostOffer?
      var failure: (any Error)?
      do {
        let kvm = try kvm.open()
        try host.addOffer(of: kvm)
        let abilities = try host.addProofs(on: kvm)
        if json { offer = try HostOffer(of: kvm, abilities: abilities) }
      } catch { failure = error }
      // What can be told without KVM is told in any case; the failure follows.
      if json { try Output.json(HostDocument(host: host, offer: offer)) } else { try Output.result(host.text) }
      if let failure { throw failure }
    }
  }
}

extension HostReport {
  fileprivate var text: String {
    var facts = TextTable()
    facts.add("CPU", cpuLine)
    facts.add(
      "kernel",
      (kernel ?? "?") + ", " + (isVirtualised ? "itself a guest of \(hypervisor ?? "a hypervisor")" : "bare metal"))
    facts.add(
      "KVM", capabilities == nil ? "not available" : module + (module == "kvm_pvm" ? " (software virtualisation)" : ""))
    facts.add("TSC", tscLine)
    facts.add("spectre_v2", vulnerabilities["spectre_v2"] ?? "?")
    facts.add(
      "this process", "speculative store bypass \(processStoreBypass); indirect branches \(processIndirectBranch)")
    let settings =
      [smt.map { "SMT \($0)" }, turbo.map { "turbo \($0 ? "on" : "off")" }].compactMap { $0 }
      + (governors.isEmpty ? ["no frequency governor"] : ["governor \(governors.joined(separator: ", "))"])
    facts.add("clocks", settings.joined(separator: ", "))
    return facts.text(width: Terminal.width) + "\n" + speculationTable + proofTable + vulnerabilityLine
  }

  private var cpuLine: String {
    let number = { (value: Int?) in value.map { "0x" + String($0, radix: 16) } ?? "?" }
    return "\(cpu.model ?? cpu.vendor ?? "?"), family \(number(cpu.family)) model \(number(cpu.modelNumber)) "
      + "stepping \(cpu.stepping.map(String.init) ?? "?"), microcode \(cpu.microcode ?? "?"), "
      + "\(cpu.logicalCount.map(String.init) ?? "?") CPUs"
  }

  private var tscLine: String {
    let rate = tsc.hertz.map { "\(($0 / 1e4).rounded() / 100) MHz (\(tsc.source ?? "?"))" } ?? "rate unknown"
    return rate + (tsc.invariant ? ", invariant" : ", not said to be invariant")
      + (tsc.isClocksource ? ", the kernel's clock" : ", not the kernel's clock")
  }

  /// What each of the three sees: the columns of one table.
  private var speculationTable: String {
    var table = TextTable()
    table.add("", "CPU", "KVM", "guest")
    let views = [speculation.cpu, speculation.kvm, speculation.guest]
    func row(_ name: String, _ value: (SpeculationView) -> Bool?) {
      let cells = views.map { view in view.flatMap(value).map { $0 ? "yes" : "no" } ?? "?" }
      table.add(name, cells[0], cells[1], cells[2])
    }
    row("SPEC_CTRL (IBRS)") { $0.ibrs }
    row("STIBP") { $0.stibp }
    row("SSBD") { $0.ssbd }
    row("IBPB") { $0.ibpb }
    row("IBRS_ALL") { $0.ibrsAll }
    return table.text(width: Terminal.width) + "\n"
  }

  private var proofTable: String {
    guard let specCtrlProof, let entries, let policies else { return "" }
    var table = TextTable()
    func row(_ name: String, _ fact: Fact?) {
      guard let fact else { return }
      table.add(name, fact.works.map { $0 ? "yes" : "no" } ?? "?", fact.seen)
    }
    row("SPEC_CTRL holds a value", specCtrlProof)
    for entry in ["syscall", "sysenter", "breakpoint", "undefined"] { row("entry \(entry)", entries[entry]) }
    for policy in PolicyName.allCases { row("policy \(policy.rawValue)", policies[policy.rawValue]) }
    let controllers = capabilities.map { $0["IRQCHIP"] != nil && $0["PIT2"] != nil }
    for image in Self.bootable(entries: entries, hasInterruptControllers: controllers) {
      row("boot \(image.name)", image.fact)
    }
    return "Proved by trying\n" + table.text(width: Terminal.width)
  }

  private var vulnerabilityLine: String {
    let open = vulnerabilities.filter { $0.value.hasPrefix("Vulnerable") }.keys.sorted()
    guard !open.isEmpty else { return "" }
    return "\n"
      + "The kernel calls itself vulnerable to \(open.joined(separator: ", ")).".wrapped(width: Terminal.width)
  }
}
