// A booted guest as it stands in results. The schema is documented in docs/boot.md.

import CKVM
import Experiments
import Hypervisor
import Images
public import Measurement

/// What there is to tell of a guest that was booted.
public struct BootReport: Codable, Equatable, Sendable {
  public var image: String
  /// `bzImage`, `elf64`, `multiboot` or `flat`.
  public var format: String
  public var isLinux: Bool
  public var policy: String
  /// How far the policy protects the guest on this host, as in `Protection.Level`.
  public var protection: String
  public var protectionReason: String
  /// Bytes.
  public var memory: UInt64
  public var commandLine: String
  /// `pit` or `none`.
  public var timer: String
  /// Bits that the guest was not told.
  public var hidden: [String]
  /// Whether writes of IA32_PRED_CMD were dropped, and how many; null where they were not to be.
  @Nullable public var droppedBarriers: UInt64?
  public var end: End
  public var exits: Exits
  /// The MSRs of which KVM refused accesses, and how often.
  public var unservedMSRs: [String: Count]
  public var policyTally: [String: UInt64]
  /// IA32_SPEC_CTRL at the end, as the guest would read it and in the vCPU's register; null where KVM does not tell.
  @Nullable public var specCtrl: SpecCtrl?
  /// Seconds from the first entry to the first process; null where that did not tell.
  @Nullable public var bootSeconds: Double?
  /// Seconds from the first entry to the end.
  public var seconds: Double
  /// What the guest's kernel says of Spectre v2; null where nobody asked it.
  @Nullable public var mitigation: String?
  /// What the kernel's work costs; empty where nobody measured it.
  public var kernel: [Figure]

  /// How it ended.
  public struct End: Codable, Equatable, Sendable {
    /// `status`, `done`, `reset`, `powerOff`, `panic`, `tripleFault`, `halted`, `timeLimit`, `cancelled` or `failed`.
    public var how: String
    /// What it wrote to the status port; null where it did not.
    @Nullable public var status: UInt32?
    /// `pass`, `fail` or `skip` of a multiboot image; null for any other.
    @Nullable public var verdict: String?
    /// The same in a sentence.
    public var sentence: String
    /// The last lines of its serial port.
    public var lastLines: [String]
  }

  /// The exits to the VMM by what the guest did, and by MSR; KVM's own count of all.
  public struct Exits: Codable, Equatable, Sendable {
    public var total: UInt64
    public var byReason: [String: UInt64]
    public var byMSR: [String: Count]
    public var interruptions: UInt64
    @Nullable public var kvm: UInt64?
  }

  /// A register as two see it.
  public struct SpecCtrl: Codable, Equatable, Sendable {
    /// Null where the guest can only write.
    @Nullable public var guest: UInt64?
    /// Null where KVM does not read it.
    @Nullable public var register: UInt64?
  }

  /// Accesses of an MSR that reached the VMM.
  public struct Count: Codable, Equatable, Sendable {
    public var reads: UInt64
    public var writes: UInt64
  }

  /// One repetition of something that a kernel does.
  public struct Figure: Codable, Equatable, Sendable {
    public var name: String
    public var repetitions: Int
    /// Cycles (in the lab, instructions) of one repetition.
    public var median: Double
    public var minimum: Double
    /// Writes of IA32_SPEC_CTRL that reached the VMM, for each repetition.
    public var writesPerRepetition: Double
    public var writes: UInt64
    @Nullable public var kvmExits: UInt64?
    public var short: [UInt64]
    public var long: [UInt64]

    /// All repetitions.
    public var total: Int { (short.count + 2 * long.count) * repetitions }
  }
}

extension BootReport {
  /// The report of a record.
  public init(_ record: BootRecord) {
    let counters = record.counters
    self.init(
      image: record.order.name, format: record.format.rawValue, isLinux: record.isLinux,
      policy: record.order.policy.rawValue, protection: record.protection.level.rawValue,
      protectionReason: record.protection.reason, memory: record.order.memory, commandLine: record.commandLine,
      timer: record.order.hasTimer ? "pit" : "none", hidden: record.order.hidden.map(\.name),
      droppedBarriers: record.order.dropsBarriers ? record.droppedBarriers : nil,
      end: End(record),
      exits: Exits(
        total: counters.total,
        byReason: Dictionary(uniqueKeysWithValues: counters.byKind.map { ($0.key.name, $0.value) }),
        byMSR: counters.byMSR.reduce(into: [:]) { $0[$1.key.hex] = Count($1.value) },
        interruptions: counters.interruptions, kvm: record.kvmExits),
      unservedMSRs: record.unserved.reduce(into: [:]) { $0["\($1.key)"] = Count($1.value) },
      policyTally: Dictionary(record.tally.map { ($0.name, $0.count) }, uniquingKeysWith: { $1 }),
      specCtrl: record.subjectAtEnd.map { SpecCtrl(guest: $0.guest, register: $0.register) },
      bootSeconds: record.bootTime.map { $0 / .seconds(1) }, seconds: record.duration / .seconds(1),
      mitigation: record.mitigation, kernel: record.figures.map(Figure.init))
  }
}

extension BootReport.Count {
  fileprivate init(_ count: ExitCounters.MSRCount) { self.init(reads: count.reads, writes: count.writes) }
}

extension BootReport.Figure {
  fileprivate init(_ figure: KernelFigure) {
    self.init(
      name: figure.work.title, repetitions: figure.repetitions, median: figure.median, minimum: figure.minimum,
      writesPerRepetition: figure.writesPerRepetition, writes: figure.counts.writes,
      kvmExits: figure.counts.kvmExits, short: figure.short, long: figure.long)
  }
}

extension KernelWork {
  /// The work as a person says it, and as `spectrap boot` names it.
  fileprivate var title: String {
    switch self {
    case .getppid: "getppid"
    case .touchedPage: "touched page"
    case .pageFault: "untouched page"
    case .pipe: "pipe round trip"
    }
  }
}

extension BootReport.End {
  /// kvm-unit-tests' statuses (lib/report.c): 0 all passed, half of 77 all skipped, anything else a failure.
  ///
  /// QEMU's own status becomes twice that and 1.
  private static let skipped: UInt32 = 77 >> 1

  fileprivate init(_ record: BootRecord) {
    let (how, sentence): (String, String) =
      switch record.end {
      case .status(let value): ("status", "it wrote \(value) to the status port")
      case .done: ("done", "its first process is done")
      case .reset: ("reset", "it reset the machine")
      case .powerOff: ("powerOff", "it shut down")
      case .panic: ("panic", "its kernel panicked")
      case .tripleFault(let state):
        ("tripleFault", "it ended with a triple fault at rip \(state.registers.rip.hex)")
      case .halted: ("halted", "it stopped the processor for good")
      case .stopped(.timeLimit): ("timeLimit", "it was stopped by its time limit")
      case .stopped: ("cancelled", "it was stopped on request")
      case .failed(let error): ("failed", error.summary)
      }
    var (status, verdict): (UInt32?, String?)
    if case .status(let value) = record.end { status = value }
    if record.format == .multiboot {
      verdict = status == 0 ? "pass" : status == Self.skipped ? "skip" : "fail"
    }
    self.init(how: how, status: status, verdict: verdict, sentence: sentence, lastLines: record.lastLines)
  }
}
