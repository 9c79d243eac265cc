// The record of a booted guest: how it ended, and what was counted.

public import Experiments
public import Hypervisor
public import Images

/// The record of a guest that ended or was stopped.
public struct BootRecord: Sendable {
  /// How the guest ended.
  public enum End: Sendable {
    /// It wrote this to the status port.
    case status(UInt32)
    /// Spectrap's own first process has finished.
    case done
    /// It reset or stopped the machine by a port or a system event.
    case reset
    /// It shut down, as its last lines say.
    case powerOff
    /// Its kernel panicked.
    case panic
    /// A triple fault, which some kernels also use to reset the machine.
    case tripleFault(GuestState)
    /// It halted the processor for good.
    case halted
    case stopped(RunControl.Stop)
    /// KVM or the policy failed.
    case failed(RunError)
  }

  /// The counts at a point that the guest marks by writing a number to the mark port.
  public struct Mark: Equatable, Sendable {
    public let number: UInt32
    /// The time since the run began.
    public let time: Duration
    /// The counts since the run began, without the mark's own exit in the VMM's count.
    public let counts: KernelFigure.Counts
  }

  public let order: BootOrder
  public let format: ImageFormat
  public let isLinux: Bool
  /// The whole command line that the guest was given.
  public let commandLine: String
  public let protection: Protection
  /// Whether the hardware or a model carried out the policy's mechanism; nil if the policy names none.
  public let mechanism: PolicyMechanism?
  /// What the guest sees of CPUID and IA32_ARCH_CAPABILITIES.
  public let contract: GuestContract
  public let end: End
  public let counters: ExitCounters
  /// Exits in this run as KVM counted them, light exits included; nil if KVM has no such statistic.
  public let kvmExits: UInt64?
  /// The growth of each of KVM's statistics in this run; nil if KVM has none.
  public let kvmStatistics: [String: UInt64]?
  /// The exits of this run by KVM's reasons for them; nil if that was not requested.
  public let exitReasons: [String: UInt64]?
  /// When writes of the subject MSR exit to the VMM under the policy.
  public let interception: RunRecord.Interception
  /// How often a foreign signal ended KVM_RUN in this run.
  public let signals: UInt64
  /// The subject MSR at the end, as the guest would read it and as the vCPU holds it; nil if KVM does not report it.
  public let subjectAtEnd: SubjectValue?
  /// The policy's own counts.
  public let tally: [(name: String, count: UInt64)]
  /// Writes of IA32_PRED_CMD that were dropped.
  public let droppedBarriers: UInt64
  /// From the run's first entry to its end.
  public let duration: Duration
  public let marks: [Mark]
  /// The kernel's own report on Spectre v2, which Spectrap's first process forwards.
  public let mitigation: String?
  /// Whether its kernel isolates page tables (the flag pti of /proc/cpuinfo); nil if it did not report that.
  public let isIsolated: Bool?
  /// The measurements of Spectrap's first process.
  public let figures: [KernelFigure]
  /// The last lines of the guest's serial port.
  public let lastLines: [String]

  /// The MSRs whose accesses KVM refused, because it does not have the MSR or does not accept the value.
  public var unserved: [MSR: ExitCounters.MSRCount] {
    counters.byMSR.filter { $0.key != order.subject && !(order.dropsBarriers && $0.key == .predCmd) }
  }

  /// The time from the first entry to the first process; nil if that process did not report.
  public var bootTime: Duration? { marks.first { $0.number == InitProgram.startMark }?.time }
}

extension BootOrder {
  /// The MSR that the policy is about.
  var subject: MSR { .specCtrl }
}

extension KernelFigure {
  /// Decodes the figures that the first process wrote to its ports.
  ///
  /// A guest may write anything: decoding stops at the first block that is not well-formed.
  static func figures(in data: [UInt32], _ marks: [BootRecord.Mark]) -> [KernelFigure] {
    var figures: [KernelFigure] = []
    var rest = data[...]
    while rest.count >= 4, rest.first == InitProgram.magic {
      let head = Array(rest.prefix(4))
      rest = rest.dropFirst(4)
      let (repetitions, samples) = (Int(head[2]), Int(head[3]))
      guard let block = InitProgram.Block(rawValue: head[1]), repetitions > 0, samples == InitProgram.samples,
        rest.count >= samples * 8,
        let before = marks.first(where: { $0.number == block.mark }),
        let after = marks.first(where: { $0.number == block.mark + 1 })
      else { break }
      let words = Array(rest.prefix(samples * 8))
      rest = rest.dropFirst(samples * 8)
      // Each time stamp is two words, the lower first; a sample is two time stamps.
      let stamp = { (index: Int) -> UInt64 in UInt64(words[index * 2]) | UInt64(words[index * 2 + 1]) << 32 }
      let lengths = (0..<samples * 2).map { (sample: Int) -> UInt64 in stamp(sample * 2 + 1) &- stamp(sample * 2) }
      figures.append(
        KernelFigure(
          block.work, repetitions: repetitions, short: (0..<samples).map { lengths[$0 * 2] },
          long: (0..<samples).map { lengths[$0 * 2 + 1] }, counts: after.counts.since(before.counts)))
    }
    return figures
  }
}

extension KernelFigure.Counts {
  /// The counts since a mark, without the second mark's own exit, which is no part of the measured work.
  fileprivate func since(_ mark: Self) -> Self {
    func growth(_ now: UInt64?, _ before: UInt64?) -> UInt64? { now.flatMap { now in before.map { now &- $0 } } }
    return Self(
      writes: writes &- mark.writes, exits: exits &- mark.exits &- 1,
      kvmExits: growth(kvmExits, mark.kvmExits).map { $0 &- 1 }, interrupts: growth(interrupts, mark.interrupts))
  }
}

extension InitProgram.Block {
  fileprivate var work: KernelWork {
    switch self {
    case .systemCall: .getppid
    case .touchedPage: .touchedPage
    case .untouchedPage: .pageFault
    case .pipe: .pipe
    }
  }
}
