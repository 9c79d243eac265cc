// Documents of what no guest has to run for: the plan, the contract, the inventory, the host.

import Experiments
import FoundationEssentials
import Hypervisor
import Migration
import Testing

@testable import Rendering
@testable import Measurement

@Suite("A result")
struct ResultTests {
  private static let offers = HostClass.allCases.map(\.offer)
  private static let plan = MigrationPlan(for: offers)

  private func lines(_ document: Document, width: Int = 100) -> [Substring] {
    document.text(width: width).split(separator: "\n")
  }

  @Test("about the kinds of host stands in docs/migration.md as it is printed")
  func plan() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = String(decoding: try Data(contentsOf: root.appending(path: "docs/migration.md")), as: UTF8.self)
    #expect(page.contains("```\n\(Self.plan.document(isOfClasses: true).text())```"))
    #expect(!Self.plan.document(isOfClasses: false).text().contains("no IBRS, no IBPB"))
  }

  @Test("of a pool says what guests are told there, and each host's policy and costs below its name")
  func contract() throws {
    let document = try PoolContract(of: Self.offers).document
    let text = document.text()
    #expect(text.hasPrefix("What a guest may be told on all of no-spec-ctrl, spec-ctrl, ibrs-all\n"))
    #expect(text.contains("\ntime-stamp counter      2000.0 MHz on every host\n"))
    #expect(text.contains("\n\nibrs-all\n  policy") && text.contains("costs of CPUID"))
    #expect(document.markdown.contains("\n## ibrs-all\n\n- **policy**: "))
  }

  @Test("without KVM lists everything, and says that nothing was tried")
  func inventory() {
    let inventory = Inventory.prove(on: nil)
    let lines = lines(inventory.document)
    #expect(lines.first == "Workloads (no KVM here to try them on)")
    #expect(lines.contains { $0.hasPrefix("  emulate ") && $0.contains(" ?  ") })
    let items =
      inventory.workloads + inventory.primitives + inventory.entries + inventory.policies + inventory.images
    for item in items { #expect(lines.contains { $0.hasPrefix("  \(item.name) ") }, "\(item.name)") }
    #expect(inventory.failure == nil)
  }

  @Test("about a host says only what was looked at")
  func host() throws {
    var host = HostReport()
    host.vulnerabilities = ["spectre_v2": "Vulnerable", "mds": "Not affected"]
    let text = host.document.text()
    #expect(text.contains("\nKVM           not available\n") && !text.contains("Proved by trying"))
    #expect(text.hasSuffix("\n\nThe kernel calls itself vulnerable to spectre_v2.\n"))
    host.specCtrlProof = HostReport.Fact(works: false, seen: "a guest that wrote 0x1 got a #GP")
    host.entries = [.known(.syscall): HostReport.Fact(works: nil, seen: "not known")]
    host.policies = [.known(.emulate): HostReport.Fact(works: true, seen: "protects: no; so it is")]
    let proved = host.document.text()
    #expect(proved.contains("\n\nProved by trying\nSPEC_CTRL holds a value  no   a guest that wrote 0x1 got a #GP\n"))
    #expect(
      proved.contains(
        "\nentry syscall            ?    not known\npolicy emulate           yes  protects: no; so it is\n"))
  }

  @Test("that is a move says how long each part took, and names what was given up first")
  func move() throws {
    let json = """
      {"destination": "a\\u001bb", "warnings": ["less"], "rounds": [{"pages": 256, "duration": [0, 1234567000000000], \
      "dirtied": 3}], "expectedDownTime": [0, 500000000000000], "lastPages": 1, "downTime": [0, 2000000000000000]}
      """
    let report = try JSONDecoder().decode(MoveReport.self, from: Data(json.utf8))
    #expect(
      report.document.text() == """
        WARNING  less
        Round    pages sent     ms  written meanwhile
        1               256  1.235                  3
        stopped           1    2.0

        The guest runs at a?b. It was stopped for 2.0 ms, 0.5 ms of which were expected for its last page.
        Its memory was sent at 810.0 MiB/s.

        """)
    #expect(try MoveJSON(report).jsonText().contains("\"milliseconds\" : 1.234567"))
  }

  @Test("fits the terminal that it goes to", arguments: [50, 80, 100])
  func width(width: Int) throws {
    let documents = [
      Self.plan.document(isOfClasses: true), try PoolContract(of: Self.offers).document,
      Inventory.prove(on: nil).document,
      HostReport().document,
    ]
    for document in documents {
      let wide = lines(document, width: width).filter { $0.count > width }
      #expect(wide.isEmpty, "\(wide)")
    }
  }
}
