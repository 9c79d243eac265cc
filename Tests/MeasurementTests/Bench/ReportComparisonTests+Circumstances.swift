// What keeps two benchmarks from being compared, or is to be known about both.

import Rendering
import TestSupport
import Registers
import Testing

@testable import Measurement

extension ReportComparisonTests {
  @Test(
    "Another kind of core, and another highest frequency, are differences that matter; a result that tells neither is not"
  )
  func processors() {
    func report(_ core: String?, _ megahertz: Double?, neighbour: String? = nil) -> BenchReport {
      let environment = BenchEnvironment(
        cpu: 2, processor: .init(cpu: 2, core: core, capacity: nil, maximumMegahertz: megahertz),
        neighbourProcessor: neighbour.map { .init(cpu: 1, core: $0, capacity: 446, maximumMegahertz: nil) })
      return MadeUp.report([], environment: environment)
    }
    func differences(_ first: BenchReport, _ second: BenchReport) -> [ReportComparison.Circumstance] {
      ReportComparison(first, second).environment
    }
    #expect(differences(report("performance", 5200), report("performance", 5200)).isEmpty)
    #expect(
      differences(report("performance", 5200), report("efficiency", 3900)) == [
        .init(kind: .host, name: "core", first: "performance", second: "efficiency"),
        .init(kind: .host, name: "highest frequency", first: "5200 MHz", second: "3900 MHz"),
      ])
    #expect(differences(report("performance", nil), report(nil, nil)).map(\.second) == ["unknown"])
    #expect(
      differences(
        report(nil, nil, neighbour: "performance"), report(nil, nil, neighbour: "efficiency")
      ).map(\.name) == ["neighbour's core"])
    #expect(differences(MadeUp.report([]), report("efficiency", 3900)).isEmpty)
  }

  @Test("A partial result and another processor are noted")
  func notes() {
    var record = report().record
    record.ended = .cancelled
    record.environment = BenchEnvironment(cpu: 5)
    let partial = BenchReport(record)
    let comparison = ReportComparison(report(), partial)
    #expect(comparison.environment.isEmpty && comparison.notes.count == 2)
    #expect(comparison.text().contains("Note: The second is partial"))
    #expect(comparison.text().contains("on CPU 2, the second on CPU 5"))
    #expect(ReportComparison(report(), report()).notes == [])
  }

  @Test(
    "Another way of switching SPEC_CTRL is what is compared: it refuses nothing, is named first, and heads the columns")
  func modes() throws {
    func switching(_ mode: SpecCtrlMode?, _ parameters: [String: String], _ mechanism: PolicyMechanism?) -> BenchRecord
    {
      var record = report(extra: [MadeUp.cell("chatty", "autoload", cost: 9000, exits: 1)]).record
      record.host.specCtrlMode = mode.map(Known.known)
      record.host.moduleParameters = parameters
      for index in record.cells.indices where record.cells[index].policy == .autoload {
        record.cells[index].mechanism = mechanism.map(Known.known)
      }
      return record
    }
    let byHand = switching(.byHand, ["nested": "Y", "ple_gap": "128"], .model)
    let lists = switching(.lists, ["nested": "N", "ple_gap": "128", "spec_ctrl_mode": "1"], .hardware)
    let comparison = ReportComparison(byHand, lists)
    #expect(comparison.environment == [])
    #expect(comparison.modes == .init(first: .known(.byHand), second: .known(.lists)))
    let text = comparison.text()
    #expect(text.hasPrefix("The first switches SPEC_CTRL by hand, the second by VMX's MSR lists."), "\(text)")
    #expect(
      text.contains("Note: autoload is a model in the VMM in the first and by VMX itself in the second."), "\(text)")
    let heading = text.split(separator: "\n").first { $0.hasPrefix("cell") }?.split(separator: " ").map(String.init)
    #expect(heading?.prefix(4) == ["cell", "by", "hand", "lists"], "\(text)")
    // Where the way is the same, another mask is another circumstance; so is a module without the parameter.
    let (one, other) = (
      switching(.maskAndShadow, ["spec_ctrl_mask": "0x000001"], nil),
      switching(.maskAndShadow, ["spec_ctrl_mask": "0x000401"], nil)
    )
    #expect(ReportComparison(one, other).environment.map(\.name) == ["parameter spec_ctrl_mask"])
    #expect(ReportComparison(one, other).modes == nil)
    #expect(ReportComparison(switching(nil, [:], nil), switching(.lists, [:], nil)).modes == nil)
  }

  @Test("Another rate of the time-stamp counter matters, as far as it is not how each boot measures it")
  func clockRate() {
    func at(_ hertz: Double?) -> BenchRecord {
      var record = report().record
      record.clock = BenchReport.Clock(overheadCycles: 25.5, hertz: hertz)
      return record
    }
    #expect(ReportComparison(at(2.6e9), at(2.600_1e9)).environment == [])
    #expect(ReportComparison(at(nil), at(nil)).environment == [])
    let other = ReportComparison(at(2.6e9), at(2.9e9)).environment
    #expect(other == [.init(kind: .host, name: "TSC", first: "2600.0 MHz", second: "2900.0 MHz")])
    #expect(ReportComparison(at(nil), at(2.9e9)).environment.map(\.second) == ["2900.0 MHz"])
  }

  @Test("Results about different registers are told apart")
  func register() {
    var record = report().record
    record.msr = BenchReport.Subject(.lstar)
    let other = BenchReport(record)
    let difference = ReportComparison(report(), other).environment
    #expect(difference == [.init(kind: .host, name: "register", first: "IA32_SPEC_CTRL", second: "IA32_LSTAR")])
    #expect(ReportComparison(other, other).environment == [])
  }

  @Test("Every circumstance that matters is compared")
  func environment() {
    var host = MadeUp.host(module: "kvm_amd", hypervisor: "Microsoft Hv", kernel: "6.13.0")
    host.cpu.model = "AMD EPYC 7B13"
    host.cpu.microcode = "0x1"
    host.smt = "on"
    host.governors = ["powersave"]
    host.turbo = true
    host.moduleParameters = ["npt": "Y"]
    host.vulnerabilities["spectre_v2"] = "Vulnerable"
    let names = ReportComparison(report(), report(host: host)).environment.map(\.name)
    #expect(
      names == [
        "CPU model", "microcode", "kernel", "KVM module", "SMT", "governors", "turbo", "virtualised by",
        "parameter ept", "parameter npt", "mitigation spectre_v2",
      ])
  }

  @Test("Of many parameters and mitigations that differ the text has their number, and each when it is asked for")
  func manyCircumstances() {
    var host = MadeUp.host(kernel: "6.13.0")
    for index in 0..<20 { host.moduleParameters["p\(index)"] = "1" }
    host.vulnerabilities["spectre_v2"] = "Vulnerable\n  CPU model: forged"
    let comparison = ReportComparison(report(), report(host: host))
    let lines = comparison.circumstanceLines(verbose: false)
    #expect(
      lines == [
        "kernel: 6.12.0 -> 6.13.0",
        "20 parameters of KVM's module (p0, p1, p10, …) and 1 mitigation (spectre_v2); --verbose shows both values",
      ])
    let all = comparison.circumstanceLines(verbose: true)
    #expect(all.count == 22 && all.contains("parameter p3: none -> 1") && !all.contains { $0.contains("\n") })
    #expect(comparison.text(verbose: true).contains("\n  parameter p3: none -> 1\n"))
  }
}
