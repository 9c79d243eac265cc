// The host as a person reads it.

import Experiments
import Hypervisor
public import Measurement

extension HostReport {
  /// The host in one line: processor, module, kernel; with its mode, unless SPEC_CTRL is switched as upstream does.
  public var summary: String {
    "\(cpu.model ?? cpu.vendor ?? "unknown CPU"), \(module)\(specCtrlMode == .known(.byHand) ? "" : switching), "
      + "Linux \(kernel ?? "?")"
  }

  /// How KVM switches SPEC_CTRL, to follow the module's name.
  private var switching: String { specCtrlMode.map { " (SPEC_CTRL \($0.value?.summary ?? $0.text))" } ?? "" }

  /// The host as a document.
  public var document: Document {
    Document(
      [
        .init([.facts(facts)]), .init([.table(speculationTable)]), proofSection, exitWorkSection, vulnerabilitySection,
      ].compactMap(\.self))
  }

  private var facts: [Document.Fact] {
    let settings =
      [smt.map { "SMT \($0)" }, turbo.map { "turbo \($0 ? "on" : "off")" }].compactMap { $0 }
      + (governors.isEmpty ? ["no frequency governor"] : ["governor \(governors.joined(separator: ", "))"])
    let below = isVirtualised ? "itself a guest of \(hypervisor ?? "a hypervisor")" : "bare metal"
    let software = isSoftwareKVM ? " (software virtualisation)" : ""
    return [
      .init("CPU", processor), .init("kernel", "\(kernel ?? "?"), \(below)"),
      .init("KVM", capabilities == nil ? "not available" : module + software + switching), .init("TSC", clock),
      .init("spectre_v2", vulnerabilities["spectre_v2"] ?? "?"),
      .init(
        "this process", "speculative store bypass \(processStoreBypass); indirect branches \(processIndirectBranch)"),
      .init("clocks", settings.joined(separator: ", ")),
    ]
  }

  private var processor: String {
    "\(cpu.model ?? cpu.vendor ?? "?"), family \(cpu.family?.hex ?? "?") model \(cpu.modelNumber?.hex ?? "?") "
      + "stepping \(cpu.stepping.map(String.init) ?? "?"), microcode \(cpu.microcode ?? "?"), "
      + "\(cpu.logicalCount.map(String.init) ?? "?") CPUs"
  }

  private var clock: String {
    let rate = tsc.hertz.map { "\(Decimal.text($0 / 1e6, upTo: 2)) MHz (\(tsc.source ?? "?"))" } ?? "rate unknown"
    return rate + (tsc.invariant ? ", invariant" : ", not reported as invariant")
      + (tsc.isClocksource ? ", the kernel's clock" : ", not the kernel's clock")
  }

  /// The features that the processor, KVM and a guest have, one column each.
  private var speculationTable: Table {
    var table = Table()
    table.add("", "CPU", "KVM", "guest")
    let views = [speculation.cpu, speculation.kvm, speculation.guest]
    func row(_ name: String, _ value: (SpeculationView) -> Bool?) {
      table.add([name] + views.map { view in view.flatMap(value).map { $0 ? "yes" : "no" } ?? "?" })
    }
    row("SPEC_CTRL (IBRS)") { $0.ibrs }
    row("STIBP") { $0.stibp }
    row("SSBD") { $0.ssbd }
    row("IBPB") { $0.ibpb }
    row("IBRS_ALL") { $0.ibrsAll }
    row("BHI_DIS_S") { $0.bhiCtrl }
    row("RRSBA_DIS") { $0.rrsbaCtrl }
    row("IPRED_DIS") { $0.ipredCtrl }
    row("PSFD") { $0.psfd }
    row("AUTO_IBRS") { $0.automaticIBRS }
    row("V_SPEC_CTRL") { $0.virtualSpecCtrl }
    return table
  }

  private var proofSection: Document.Section? {
    guard let specCtrlProof, let entries, let policies else { return nil }
    var table = Table(hasHead: false)
    func row(_ name: String, _ fact: Fact?) {
      guard let fact else { return }
      let carriedOut = fact.mechanism.map { "\($0.value?.summary ?? $0.text); " } ?? ""
      table.add(name, fact.works.map { $0 ? "yes" : "no" } ?? "?", carriedOut + fact.seen)
    }
    row("SPEC_CTRL holds a value", specCtrlProof)
    row("the host's bits kept", hostSpecCtrl.map(\.fact))
    for entry in Entry.ringSwitching { row("entry \(entry.rawValue)", entries[.known(entry)]) }
    for policy in PolicyName.allCases { row("policy \(policy.rawValue)", policies[.known(policy)]) }
    let controllers = capabilities.map { $0["\(Capability.irqchip)"] != nil && $0["\(Capability.pit2)"] != nil }
    for kind in BootableKind.allCases {
      row("boot \(kind.rawValue)", kind.fact(syscall: entries[.known(.syscall)], hasInterruptControllers: controllers))
    }
    return .init("Proved by trying", [.table(table)])
  }

  /// What this kernel adds to exits and entries against speculation; nil if it reports nothing.
  var exitWorkSection: Document.Section? {
    let known = exitWork.filter { $0.isDone != nil }
    guard !known.isEmpty else { return nil }
    var table = Table(hasHead: false)
    for work in known where work.isDone == true {
      table.add("at \(work.moment.rawValue)", work.name, "(\(work.source ?? "?"); \(work.switchedBy))")
    }
    let not = known.filter { $0.isDone == false }.map { "at \($0.moment.rawValue) \($0.name)" }
    let unsaid = exitWork.filter { $0.isDone == nil }.map { "at \($0.moment.rawValue) \($0.name)" }
    var blocks: [Document.Block] = table.rows.isEmpty ? [] : [.table(table)]
    if !not.isEmpty { blocks.append(.paragraph(Document.Paragraph(not.joined(separator: "; "), label: "Not done: "))) }
    if !unsaid.isEmpty {
      blocks.append(.paragraph(Document.Paragraph(unsaid.joined(separator: "; "), label: "Not reported: ")))
    }
    return .init("What this kernel adds against speculation", blocks)
  }

  private var vulnerabilitySection: Document.Section? {
    let open = vulnerabilities.filter { $0.value.hasPrefix("Vulnerable") }.keys.sorted()
    guard !open.isEmpty else { return nil }
    return .init([.paragraph("The kernel calls itself vulnerable to \(open.joined(separator: ", ")).")])
  }
}

extension HostReport.HostBits {
  /// Whether guests run with all bits that the host's kernel keeps set for itself, and with which.
  fileprivate var fact: HostReport.Fact {
    let (host, source) = (SpecCtrl(rawValue: value), source == "register" ? "the register" : "its kernel's account")
    let told = "the host has \(host) (\(value.hex)) by \(source)"
    guard let kept else { return HostReport.Fact(works: nil, seen: told) }
    let guests = SpecCtrl(rawValue: kept)
    return HostReport.Fact(
      works: guests.isSuperset(of: host),
      seen: "\(told); "
        + (kept == 0
          ? "none of these bits can be kept on for guests"
          : "emulate and shadow keep \(guests) (\(kept.hex)) on for guests, read back"))
  }
}
