// The circumstances of a benchmark.

/// Circumstances that may have disturbed a benchmark.
public struct BenchEnvironment: Codable, Equatable, Sendable {
  /// The CPU that the vCPU's thread was pinned to; null where it was not.
  @Nullable public private(set) var cpu: Int?
  /// The load average of the last minute.
  @Nullable public private(set) var loadBefore: Double?
  @Nullable public private(set) var loadAfter: Double?
  /// The share of that CPU's time which another virtual machine took: 0.01 is 1 %.
  @Nullable public private(set) var stealShare: Double?
  /// The share of the time in which the busiest other thread of that CPU's core was busy; null where the core has no
  /// other.
  @Nullable public private(set) var siblingShare: Double?
  /// Interrupts on that CPU during the run.
  @Nullable public private(set) var interrupts: UInt64?
  /// Context switches of the vCPU's thread during the run, voluntary and not.
  @Nullable public private(set) var contextSwitches: UInt64?
  /// Degrees Celsius; null where there is no sensor.
  @Nullable public private(set) var temperatureBefore: Double?
  @Nullable public private(set) var temperatureAfter: Double?
  /// Whether the time-stamp counter counts instructions, as some emulators let it; null if unknown.
  @Nullable public private(set) var countsInstructions: Bool?
  /// That CPU's kind; null where the thread was not pinned, and in results of older versions.
  @Nullable public private(set) var processor: Processor?
  /// The kind of the CPU on which neighbours ran; null where there were none.
  @Nullable public private(set) var neighbourProcessor: Processor?

  /// The kind of a CPU on a hybrid host.
  public struct Processor: Codable, Equatable, Sendable {
    public let cpu: Int
    /// `performance` or `efficiency`; null where the host has one kind.
    @Nullable public private(set) var core: String?
    /// Its capacity relative to 1024, that of the host's strongest; null where the kernel does not report it.
    @Nullable public private(set) var capacity: Int?
    /// Null where the kernel does not report it.
    @Nullable public private(set) var maximumMegahertz: Double?

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
    temperatureBefore: Double? = nil, temperatureAfter: Double? = nil, countsInstructions: Bool? = nil,
    processor: Processor? = nil, neighbourProcessor: Processor? = nil
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
    self.processor = processor
    self.neighbourProcessor = neighbourProcessor
  }

  /// Whether the clock counts instructions: there is no noise then, and a figure is its own interval.
  package var isExact: Bool { countsInstructions == true }

  /// What the clock counts: `cycles` or `instructions`.
  var unit: String { isExact ? "instructions" : "cycles" }
}
