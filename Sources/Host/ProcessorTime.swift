// A processor's busy, idle and stolen time: two readings show it for the time in between.
//
// Facts: proc(5), /proc/stat: `cpuN` and user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice, in
// ticks of 1/100 s since the start.

/// The time of one processor since the start, in ticks.
public struct ProcessorTime: Hashable, Sendable {
  /// All of it.
  public let total: UInt64
  /// Time with nothing to do.
  public let idle: UInt64
  /// Time that the hypervisor gave to others.
  public let stolen: UInt64

  /// The time of processor `cpu` in the text of /proc/stat; nil if it is missing.
  init?(of cpu: Int, in text: String) {
    let name = "cpu\(cpu) "
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
    // Guest time is in user time already.
    let ticks = line.split(separator: " ").dropFirst().prefix(8).compactMap { UInt64($0) }
    guard ticks.count == 8 else { return nil }
    total = ticks.reduce(0, &+)
    idle = ticks[3] &+ ticks[4]
    stolen = ticks[7]
  }

  /// The share of the time since `before` that went to others, 0 to 1; nil if no time passed.
  public func stolenShare(since before: ProcessorTime) -> Double? { share(of: \.stolen, since: before) }

  /// The share of the time since `before` that it was busy, 0 to 1; nil if no time passed.
  public func busyShare(since before: ProcessorTime) -> Double? { share(of: \.idle, since: before).map { 1 - $0 } }

  private func share(of part: KeyPath<ProcessorTime, UInt64>, since before: ProcessorTime) -> Double? {
    guard total > before.total else { return nil }
    // The kernel's iowait count may decrease.
    let (first, last) = (before[keyPath: part], self[keyPath: part])
    return last < first ? 0 : min(1, Double(last - first) / Double(total - before.total))
  }
}
