// What may spoil a benchmark is said above its tables.

import Hypervisor
import Testing

@testable import Experiments
@testable import Measurement

@Suite("The circumstances of a benchmark")
struct CircumstancesTests {
  private func warnings(_ environment: BenchEnvironment) -> [String] {
    // Of whatever host this is, less what is said of it at any time.
    let always = Set(BenchEnvironment(cpu: environment.cpu).warnings(on: HostReport()))
    return environment.warnings(on: HostReport()).filter { !always.contains($0) }
  }

  @Test("say that others took more than 1 % of the processor's time, or that its sibling was busy for more than 5 %")
  func busy() {
    #expect(warnings(BenchEnvironment(cpu: 3, stealShare: 0.01, siblingShare: 0.05)).isEmpty)
    let stolen = warnings(BenchEnvironment(cpu: 3, stealShare: 0.0234))
    #expect(stolen.count == 1 && stolen[0].contains("2.3 % of the time of processor 3 was stolen"))
    let sibling = warnings(BenchEnvironment(cpu: 3, siblingShare: 0.061))
    #expect(sibling.count == 1 && sibling[0].contains("sibling thread of processor 3 was busy for 6.1 %"))
  }

  /// This host, changed.
  private func host(_ change: (inout HostReport) -> Void) -> HostReport {
    var host = HostReport()
    change(&host)
    return host
  }

  @Test(
    "say that no processor was free in the minute before it began",
    arguments: [
      (0.99, 2, false), (3.5, 2, true), (1.2, 2, true), (62.9, 64, false), (0.4, 1, false), (0.6, 1, true),
    ])
  func load(average: Double, processors: Int, isWarnedOf: Bool) {
    let host = host { $0.cpu.logicalCount = processors }
    let warnings = BenchEnvironment(cpu: 1, loadBefore: average).warnings(on: host)
      .filter { $0.contains("the load was \(average) on \(processors) processor") }
    #expect(warnings.count == (isWarnedOf ? 1 : 0))
  }

  @Test("say that the kernel keeps its time by another clock")
  func clocksource() {
    func warnings(_ clocksource: String?) -> [String] {
      BenchEnvironment(cpu: 1).warnings(on: host { $0.tsc.clocksource = clocksource }).filter {
        $0.contains("clocksource is")
      }
    }
    #expect(
      warnings("hpet").count == 1 && warnings("hpet")[0].contains("clocksource is hpet, not the time-stamp counter"))
    #expect(warnings("tsc").isEmpty && warnings(nil).isEmpty)
    // Both read the time-stamp counter.
    #expect(warnings("kvm-clock").isEmpty && warnings("hyperv_clocksource_tsc_page").isEmpty)
  }

  @Test("between two readings of this host are those of one processor and one thread")
  func readings() throws {
    let cpu = try #require(CPUAffinity.allowed.last)
    let before = HostLoad(of: cpu)
    let start = ContinuousClock.now
    while ContinuousClock.now - start < .milliseconds(60) {}
    let environment = BenchEnvironment(
      cpu: cpu, before: before, after: HostLoad(of: cpu), countsInstructions: false)
    #expect(environment.cpu == cpu && environment.stealShare.map { (0...1).contains($0) } == true)
    #expect(environment.interrupts != nil && environment.contextSwitches != nil)
    #expect((environment.siblingShare != nil) == !before.siblings.isEmpty)
  }
}
