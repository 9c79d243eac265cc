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
  /// What that CPU is; null where the thread was not pinned, and in results of older versions.
  @Nullable public var processor: Processor? = nil
  /// What the CPU is that neighbours on another one ran on; null where there were none.
  @Nullable public var neighbourProcessor: Processor? = nil

  /// What a CPU is, where those of a host differ.
  public struct Processor: Codable, Equatable, Sendable {
    public var cpu: Int
    /// `performance` or `efficiency`; null where nobody says that there are several kinds.
    @Nullable public var core: String?
    /// Its capacity, of which the host's strongest has 1024; null where the kernel does not say.
    @Nullable public var capacity: Int?
    /// Null where the kernel does not say.
    @Nullable public var maximumMegahertz: Double?

    public init(cpu: Int, core: String?, capacity: Int?, maximumMegahertz: Double?) {
      self.cpu = cpu
      self.core = core
      self.capacity = capacity
      self.maximumMegahertz = maximumMegahertz
    }
  }

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
