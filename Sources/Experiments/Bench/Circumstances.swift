// The circumstances of a benchmark, and warnings about them.

import Hypervisor
import Measurement

extension BenchEnvironment {
  /// The circumstances between two readings.
  init(
    cpu: Int?, before: HostLoad, after: HostLoad, countsInstructions: Bool, processor: HostProcessor? = nil,
    neighbourProcessor: HostProcessor? = nil
  ) {
    self.init(
      cpu: cpu, loadBefore: before.average, loadAfter: after.average,
      stealShare: before.processor.flatMap { after.processor?.stolenShare(since: $0) },
      siblingShare: after.busiestSibling(since: before)?.share, interrupts: after.interrupts(since: before),
      contextSwitches: after.contextSwitches(since: before), temperatureBefore: before.temperature,
      temperatureAfter: after.temperature, countsInstructions: countsInstructions,
      processor: processor.map(Processor.init), neighbourProcessor: neighbourProcessor.map(Processor.init))
  }

  /// Warnings about these circumstances, one sentence each.
  func warnings(on host: HostReport) -> [String] {
    var warnings: [String] = []
    if countsInstructions == true {
      warnings.append("the time-stamp counter counts instructions here: the figures are path lengths, not time")
    }
    if let loadBefore, let count = host.cpu.logicalCount, loadBefore > max(0.5, Double(count) - 1) {
      warnings.append(
        "the load was \(hundredths(loadBefore)) on \(counted(count, "processor")) in the minute before the "
          + "benchmark, earlier benchmarks included: if other work is running, wait until it has ended")
    }
    if let clocksource = host.tsc.clocksource, !Self.clocksourcesByTSC.contains(clocksource) {
      warnings.append(
        "the kernel's clocksource is \(clocksource), not the time-stamp counter, which the figures depend on: "
          + "`dmesg | grep -i tsc` says why")
    }
    if host.module == "kvm_pvm" {
      warnings.append("kvm_pvm virtualises in software: exits and ring 0 cost other amounts than under VMX or SVM")
    }
    if host.isVirtualised {
      warnings.append("this host is a guest of \(host.hypervisor ?? "a hypervisor"): its own exits are in every figure")
    }
    let governors = host.governors.filter { $0 != "performance" }
    if !governors.isEmpty {
      warnings.append("frequency governor \(governors.joined(separator: ", ")): set \"performance\" for steady figures")
    }
    if host.turbo == true {
      warnings.append("turbo is on: the clock rate depends on what else runs and on temperature")
    }
    if host.smt == "on" { warnings.append("SMT is on: a busy sibling thread takes a share of the core") }
    if let siblingShare, siblingShare > 0.05 {
      warnings.append(
        "the sibling thread of processor \(processorName) was busy for \(percent(siblingShare)) of the time, neighbours of this "
          + "benchmark's own included")
    }
    if let stealShare, stealShare > 0.01 {
      warnings.append(
        "\(percent(stealShare)) of the time of processor \(processorName) was stolen by other machines: measure "
          + "when they are quiet")
    }
    if !host.tsc.invariant { warnings.append("the time-stamp counter is not said to be invariant") }
    return warnings
  }

  /// The clocksources that read the time-stamp counter, directly or scaled by the hypervisor's data (Linux:
  /// arch/x86/kernel/kvmclock.c, drivers/clocksource/hyperv_timer.c).
  private static let clocksourcesByTSC: Set = ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page"]

  private var processorName: String { cpu.map(String.init) ?? "?" }

  private func hundredths(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }

  private func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
}

extension BenchEnvironment.Processor {
  /// A processor of the host.
  init(_ processor: HostProcessor) {
    self.init(
      cpu: processor.cpu, core: processor.core?.rawValue, capacity: processor.capacity,
      maximumMegahertz: processor.maximumKilohertz.map { Double($0) / 1000 })
  }
}
