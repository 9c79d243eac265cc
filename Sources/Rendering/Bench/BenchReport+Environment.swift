// The circumstances of a benchmark in full, and how to measure it again.

import Measurement
import Registers

extension BenchReport {
  /// The host and the moment: what was measured, on what, and what may have disturbed it.
  package var environmentDocument: Document {
    let moment = Document.Section(
      "The measurement", [.facts(facts + warnings.map(Document.Fact.warning) + momentFacts)])
    let host = host.document.sections.enumerated().map { index, section in
      index == 0 ? Document.Section("The host", section.blocks) : section
    }
    return Document(
      [moment] + host
        + [
          Self.listing("Mitigations that the kernel reports", "file", self.host.vulnerabilities),
          Self.listing("Parameters of \(self.host.module)", "parameter", self.host.moduleParameters),
        ].compactMap(\.self))
  }

  /// The circumstances that were noted during the measurement.
  private var momentFacts: [Document.Fact] {
    func range(_ before: Double?, _ after: Double?, digits: Int, _ unit: String) -> String? {
      guard let before, let after else { return nil }
      return
        "\(Decimal.text(before, digits: digits))\(unit) before, \(Decimal.text(after, digits: digits))\(unit) after"
    }
    let known: [(name: String, text: String?)] = [
      ("CPU", environment.cpu.map { "\($0), to which the vCPU's thread was pinned" }),
      ("load", range(environment.loadBefore, environment.loadAfter, digits: 2, "")),
      ("stolen", environment.stealShare.map { "\(Decimal.percent($0)) of the CPU's time, by another virtual machine" }),
      ("sibling", environment.siblingShare.map { "busy \(Decimal.percent($0)) of the time" }),
      ("interrupts", environment.interrupts.map { "\($0)" }),
      ("switches", environment.contextSwitches.map { "\($0) of the vCPU's thread" }),
      ("temperature", range(environment.temperatureBefore, environment.temperatureAfter, digits: 1, " °C")),
    ]
    return known.compactMap { name, text in text.map { Document.Fact(name, $0) } }
  }

  /// A table of names and values; nil for none.
  private static func listing(_ title: String, _ name: String, _ values: [String: String]) -> Document.Section? {
    guard !values.isEmpty else { return nil }
    var table = Table()
    table.add(name, "value")
    for (name, value) in values.sorted(by: { $0.key < $1.key }) { table.add(name, value) }
    return Document.Section(Document.Heading(title), [.table(table)])
  }

  /// How to measure it again.
  package var reproduction: Document {
    var words = ["spectrap", "bench", "--seed", "\(seed)"]
    if let roundBudget { words += ["--rounds", "\(roundBudget)"] }
    if let precision { words += ["--precision", "\(Decimal.text(precision * 100, upTo: 3))"] }
    if let timeBudget { words += ["--time", "\(Decimal.text(timeBudget, upTo: 3))"] }
    if let cpu = environment.cpu { words += ["--cpu", "\(cpu)"] }
    if !msr.isSpecCtrl { words += ["--msr", msr.index.text] }
    words += ["--json", "again.json"]
    return Document([
      Document.Section([
        .paragraph(
          Document.Paragraph("With spectrap \(version), on this host, with this kernel and these parameters:")),
        .command(words.joined(separator: " ")),
        .paragraph(
          """
          The result does not record which guests, entries and policies were chosen on the command line. If the \
          tables above lack some, choose the others by --workload, --entry and --policy. The seed fixes the order of \
          the measurements and the draws of the intervals, not the noise.
          """),
        .paragraph("Then compare the two results:"),
        .command("spectrap compare FIRST.json again.json"),
        .paragraph("The JSON of this result has every sample; docs/json.md explains its keys."),
      ])
    ])
  }
}
