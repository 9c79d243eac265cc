// What else the host does at one moment: two readings show what happened in between.
//
// Facts: proc(5): /proc/stat (cpu times in ticks of 1/100 s, steal is the eighth; intr; ctxt), /proc/loadavg; Linux
// Documentation/driver-api/thermal/sysfs-api.rst (temp in 1/1000 °C).

/// A reading of the host's load.
public struct HostLoad: Hashable, Sendable {
  /// The load average over one minute; nil when the kernel does not say.
  public let average: Double?
  /// Processor time of all CPUs since the start, in ticks.
  public let totalTicks: UInt64
  /// The share of it that the hypervisor above gave to others, in ticks.
  public let stolenTicks: UInt64
  /// Interrupts since the start.
  public let interrupts: UInt64
  /// Context switches since the start.
  public let contextSwitches: UInt64
  /// The hottest thermal zone in °C; nil when there is none.
  public let temperature: Double?

  /// Reads the load below the given root.
  public init(files: HostFiles = HostFiles()) {
    average = files.value("proc/loadavg").flatMap { $0.split(separator: " ").first.flatMap { Double($0) } }
    var fields: [Substring: [UInt64]] = [:]
    for line in (files.text("proc/stat") ?? "").split(separator: "\n") {
      let words = line.split(separator: " ")
      // The line of interrupts has a number for each; only the first, their sum, is wanted.
      if let name = words.first { fields[name] = words.dropFirst().prefix(10).compactMap { UInt64($0) } }
    }
    let cpu = fields["cpu"] ?? []
    // Guest time is in user time already.
    totalTicks = cpu.prefix(8).reduce(0, &+)
    stolenTicks = cpu.count > 7 ? cpu[7] : 0
    interrupts = fields["intr"]?.first ?? 0
    contextSwitches = fields["ctxt"]?.first ?? 0
    temperature = files.names(in: "sys/class/thermal").filter { $0.hasPrefix("thermal_zone") }
      .compactMap { files.value("sys/class/thermal/\($0)/temp").flatMap { Double($0) } }.map { $0 / 1000 }.max()
  }

  /// The share of processor time since `before` that went to others, 0 to 1.
  public func stealShare(since before: HostLoad) -> Double {
    let total = totalTicks &- before.totalTicks
    return total == 0 || total > .max / 2 ? 0 : Double(stolenTicks &- before.stolenTicks) / Double(total)
  }
}
