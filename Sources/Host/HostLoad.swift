// The load of the host, of one processor and of one thread at one moment: two readings show what happened in between.
//
// Facts: proc(5): /proc/loadavg, /proc/stat, /proc/interrupts, /proc/thread-self/status (context switches); Linux
// Documentation/admin-guide/cputopology.rst (thread_siblings_list); Documentation/driver-api/thermal/sysfs-api.rst
// (temp in 1/1000 °C).

/// A reading of the host's load.
public struct HostLoad: Hashable, Sendable {
  /// The load average over one minute; nil if unknown.
  public let average: Double?
  /// The processor's time since the start; nil if unknown.
  public let processor: ProcessorTime?
  /// The time of the other threads of its core since the start, by processor.
  public let siblings: [Int: ProcessorTime]
  /// Interrupts on the processor since the start; nil if unknown.
  public let interrupts: UInt64?
  /// Context switches of the calling thread, voluntary and not; nil if unknown.
  public let contextSwitches: UInt64?
  /// The hottest thermal zone in °C; nil if there is none.
  public let temperature: Double?

  /// Thousands of processors each have a line in one of the files, and a column in the other.
  private static let limit = 16 << 20

  /// Reads the load of the host, the calling thread and a processor, if one is given.
  public init(of cpu: Int?, files: HostFiles = HostFiles()) {
    average = files.value("proc/loadavg").flatMap { $0.split(separator: " ").first.flatMap { Double($0) } }
    contextSwitches = files.text("proc/thread-self/status").flatMap(Self.contextSwitches)
    temperature = files.names(in: "sys/class/thermal").filter { $0.hasPrefix("thermal_zone") }
      .compactMap { files.value("sys/class/thermal/\($0)/temp").flatMap { Double($0) } }.map { $0 / 1000 }.max()
    guard let cpu else {
      (processor, siblings, interrupts) = (nil, [:], nil)
      return
    }
    let statistics = files.text("proc/stat", limit: Self.limit) ?? ""
    processor = ProcessorTime(of: cpu, in: statistics)
    let core =
      files.value("sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list").map { CPUList($0).processors } ?? []
    siblings = Dictionary(
      uniqueKeysWithValues: core.subtracting([cpu]).compactMap { other in
        ProcessorTime(of: other, in: statistics).map { (other, $0) }
      })
    interrupts = files.text("proc/interrupts", limit: Self.limit).flatMap { Self.interrupts(on: cpu, in: $0) }
  }

  /// How often the processor was interrupted since `before`; nil if unknown.
  public func interrupts(since before: HostLoad) -> UInt64? { Self.growth(of: \.interrupts, from: before, to: self) }

  /// How often the thread was switched since `before`; nil if unknown.
  public func contextSwitches(since before: HostLoad) -> UInt64? {
    Self.growth(of: \.contextSwitches, from: before, to: self)
  }

  /// The sibling that was busy for the largest share of the time since `before`, 0 to 1; nil if there is none.
  public func busiestSibling(since before: HostLoad) -> (cpu: Int, share: Double)? {
    siblings.compactMap { cpu, time in
      before.siblings[cpu].flatMap { time.busyShare(since: $0) }.map { (cpu, $0) }
    }.max { $0.1 < $1.1 }
  }

  private static func growth(of count: KeyPath<HostLoad, UInt64?>, from before: HostLoad, to after: HostLoad) -> UInt64?
  {
    guard let first = before[keyPath: count], let last = after[keyPath: count], last >= first else { return nil }
    return last - first
  }
}

extension HostLoad {
  /// The sum of a processor's column in /proc/interrupts; nil if it has none.
  static func interrupts(on cpu: Int, in text: String) -> UInt64? {
    var lines = text.split(separator: "\n").makeIterator()
    // Only processors that are online have a column.
    guard let column = lines.next()?.split(separator: " ").firstIndex(of: "CPU\(cpu)") else { return nil }
    var sum: UInt64 = 0
    while let line = lines.next() {
      let fields = line.split(separator: " ", maxSplits: column + 2)
      // Two lines have one count for all processors.
      guard fields.count > column + 1, !["ERR:", "MIS:"].contains(fields[0]) else { continue }
      sum &+= UInt64(fields[column + 1]) ?? 0
    }
    return sum
  }

  /// The sum of both kinds of context switches in a thread's status; nil if it has neither.
  static func contextSwitches(in status: String) -> UInt64? {
    let counts = status.split(separator: "\n").compactMap { line -> UInt64? in
      let fields = line.split(whereSeparator: \.isWhitespace)
      guard fields.count == 2, ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"].contains(fields[0]) else {
        return nil
      }
      return UInt64(fields[1])
    }
    return counts.isEmpty ? nil : counts.reduce(0, &+)
  }
}
