// What else went on while the benchmark ran.

/// The circumstances of a benchmark: what may have disturbed it.
public struct BenchEnvironment: Codable, Equatable, Sendable {
  /// The CPU that the vCPU's thread was pinned to; null where it was not.
  @Nullable public var cpu: Int?
  /// The load average of the last minute.
  @Nullable public var loadBefore: Double?
  @Nullable public var loadAfter: Double?
  /// The share of that CPU's time which another virtual machine took: 0.01 is 1 %.
  @Nullable public var stealShare: Double?
  /// The share of the time in which another thread of that CPU's core was busy, of the busiest; null where it has none.
  @Nullable public var siblingShare: Double?
  /// Interrupts on that CPU during the run.
  @Nullable public var interrupts: UInt64?
  /// Context switches of the vCPU's thread during the run, voluntary and not.
  @Nullable public var contextSwitches: UInt64?
  /// Degrees Celsius; null where there is no sensor.
  @Nullable public var temperatureBefore: Double?
  @Nullable public var temperatureAfter: Double?
  /// Whether the time-stamp counter counts instructions, as in an emulator that is driven so; null where that was not
  /// found out.
  @Nullable public var countsInstructions: Bool?

  public init(
    cpu: Int? = nil, loadBefore: Double? = nil, loadAfter: Double? = nil, stealShare: Double? = nil,
    siblingShare: Double? = nil, interrupts: UInt64? = nil, contextSwitches: UInt64? = nil,
    temperatureBefore: Double? = nil, temperatureAfter: Double? = nil, countsInstructions: Bool? = nil
  ) {
    self.cpu = cpu
    self.loadBefore = loadBefore
    self.loadAfter = loadAfter
    self.stealShare = stealShare
    self.siblingShare = siblingShare
    self.interrupts = interrupts
    self.contextSwitches = contextSwitches
    self.temperatureBefore = temperatureBefore
    self.temperatureAfter = temperatureAfter
    self.countsInstructions = countsInstructions
  }
}
