// What a kernel's own work costs, as measured in its user mode, and the third witness for guests that nobody here
// wrote: what a kernel is known to do at least, and what its interrupts add at most.

public import Hypervisor
import Measurement

/// One work of a kernel: samples by the guest's clock, and what was counted while they were taken.
public struct KernelFigure: Equatable, Sendable {
  public let work: KernelWork
  /// Repetitions in a short sample; a long one has twice as many.
  public let repetitions: Int
  /// Cycles of each short and each long sample.
  public let short: [UInt64]
  public let long: [UInt64]
  /// What was counted while all samples were taken.
  public let counts: Counts

  /// Counts between two points of a guest's run.
  public struct Counts: Equatable, Sendable {
    /// Writes of the subject MSR that reached the VMM.
    public let writes: UInt64
    /// Exits to the VMM.
    public let exits: UInt64
    /// Exits by KVM's count; nil where it has none.
    public let kvmExits: UInt64?
    /// Interrupts that KVM gave the guest; nil where it does not count them, or the processor delivers some by itself.
    public let interrupts: UInt64?

    public init(writes: UInt64, exits: UInt64, kvmExits: UInt64?, interrupts: UInt64? = nil) {
      self.writes = writes
      self.exits = exits
      self.kvmExits = kvmExits
      self.interrupts = interrupts
    }

    /// The most interrupts that there can have been; nil where nothing tells.
    ///
    /// Each of those that KVM does not count has ended the guest's stay in the processor at least once.
    public var mostInterrupts: UInt64? { interrupts ?? kvmExits.map { $0 > exits ? $0 - exits : 0 } }
  }

  /// A work with its samples and counts.
  public init(_ work: KernelWork, repetitions: Int, short: [UInt64], long: [UInt64], counts: Counts) {
    self.work = work
    self.repetitions = repetitions
    self.short = short
    self.long = long
    self.counts = counts
  }

  /// All repetitions.
  public var total: Int { (short.count + 2 * long.count) * repetitions }
  /// Cycles of one repetition by each pair of samples: what the long one takes more than the short one.
  public var costs: [Double] { zip(short, long).map { (Double($1) - Double($0)) / Double(repetitions) } }
  /// Cycles of one repetition: what a long sample takes more than a short one, by their medians.
  public var median: Double {
    // Not `Double.init`, which is also the initialiser from a bit pattern.
    func median(_ samples: [UInt64]) -> Double { samples.map { Double($0) }.median ?? 0 }
    return (median(long) - median(short)) / Double(repetitions)
  }
  /// The same by the smallest samples.
  public var minimum: Double {
    (Double(long.min() ?? 0) - Double(short.min() ?? 0)) / Double(repetitions)
  }
  /// Writes of the subject MSR that reached the VMM, for each repetition.
  public var writesPerRepetition: Double { Double(counts.writes) / Double(max(1, total)) }
}

extension KernelFigure {
  /// What of the counts contradicts what a kernel does that has taken this mitigation, in a sentence without a full
  /// stop; nil where nothing does.
  ///
  /// Each repetition writes as often as the work enters the kernel, twice. More can only come from interrupts in user
  /// mode, each of which enters the kernel once more: where there was none, the number is exact, but for what another
  /// process does around the points between which is counted.
  public func contradiction(
    under mitigation: KernelMitigation?, _ interception: RunRecord.Interception
  ) -> String? {
    if let kvmExits = counts.kvmExits, kvmExits < counts.exits {
      return "KVM counted \(kvmExits) exits, fewer than the \(counts.exits) that reached the VMM"
    }
    if interception == .never {
      guard counts.writes > 0 else { return nil }
      return "\(counts.writes) writes of the MSR reached the VMM, which intercepts none"
    }
    guard let each = work.writes(under: mitigation) else { return nil }
    let (exact, isTooMany) = UInt64(each).multipliedReportingOverflow(by: UInt64(total))
    guard !isTooMany else { return nil }
    let loose = each > 0 ? 2 * UInt64(work.looseEntries) : 0
    let (least, most) = (exact > loose ? exact - loose : 0, exact + loose)
    let what =
      "\(counts.writes) writes of the MSR reached the VMM in \(total) times \(work.rawValue), which makes \(each) each time"
    if interception == .always, counts.writes < least { return "\(what): \(least) expected at least" }
    guard let interrupts = counts.mostInterrupts else { return nil }
    // Counted the other way round nothing overflows.
    guard counts.writes > most, (counts.writes - most + 1) / 2 > interrupts else { return nil }
    return "\(what): at most \(most) and two for each of \(interrupts) interrupts expected"
  }
}
