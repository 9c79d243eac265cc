// What there is to tell of a guest that was booted.

public import Experiments
public import Hypervisor
public import Images

/// A guest that has ended, or was stopped.
public struct BootRecord: Sendable {
  /// How it ended.
  public enum End: Sendable {
    /// It wrote this to the status port.
    case status(UInt32)
    /// Spectrap's own first process is done.
    case done
    /// It reset or stopped the machine by a port or a system event.
    case reset
    /// It shut down: its last words say so.
    case powerOff
    /// Its kernel panicked.
    case panic
    /// It faulted while it handled a fault while it handled a fault, or shut down by doing so on purpose.
    case tripleFault(GuestState)
    /// It stopped the processor for good.
    case halted
    case stopped(RunControl.Stop)
    /// KVM or the policy failed.
    case failed(RunError)
  }

  /// The machine's state when the guest passed a point that it is built to pass.
  public struct Mark: Equatable, Sendable {
    public let number: UInt32
    /// Since the run began.
    public let time: Duration
    /// What was counted since then, the mark's own exit left out of the VMM's count.
    public let counts: KernelFigure.Counts
  }

  public let order: BootOrder
  public let format: ImageFormat
  public let isLinux: Bool
  /// The whole command line that the guest was given.
  public let commandLine: String
  public let protection: Protection
  public let told: GuestContract
  public let end: End
  public let counters: ExitCounters
  /// Exits by KVM's count in this run, light ones too; nil where it has none.
  public let kvmExits: UInt64?
  /// When writes of the subject MSR exit to the VMM under the policy.
  public let interception: RunRecord.Interception
  /// How often a signal that nobody here had ordered ended KVM_RUN in this run.
  public let signals: UInt64
  /// The subject MSR at the end, as the guest would read it and as it stands in the vCPU; nil where KVM does not tell.
  public let subjectAtEnd: SubjectValue?
  /// What the policy did by itself.
  public let tally: [(name: String, count: UInt64)]
  /// Writes of IA32_PRED_CMD that were dropped.
  public let droppedBarriers: UInt64
  /// From the run's first entry to its end.
  public let duration: Duration
  public let marks: [Mark]
  /// What Spectrap's own first process told: what its kernel says of Spectre v2.
  public let mitigation: String?
  /// What it measured.
  public let figures: [KernelFigure]
  /// The last lines of the guest's serial port.
  public let lastLines: [String]

  /// MSRs of which KVM refused accesses, for it does not have them or not that value, each with how often.
  public var unserved: [MSR: ExitCounters.MSRCount] {
    counters.byMSR.filter { $0.key != order.subject && !(order.dropsBarriers && $0.key == .predCmd) }
  }

  /// From the first entry to the first process; nil where that did not tell.
  public var bootTime: Duration? { marks.first { $0.number == InitProgram.startMark }?.time }
}

extension BootOrder {
  /// The MSR that the policy is about.
  var subject: MSR { .specCtrl }
}

extension KernelFigure {
  /// The figures out of what the first process wrote to its ports, as far as they hold together: a guest may write
  /// anything.
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
  /// What came since a mark: its own exit, and the second one's, are none of the guest's work.
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
