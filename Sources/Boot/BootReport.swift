// The JSON result of a booted guest. The schema is documented in docs/boot.md.

import CKVM
import Experiments
import Hypervisor
import Images
public import Measurement

/// The result of one booted guest.
public struct BootReport: Codable, Equatable, Sendable {
  public let image: String
  /// `bzImage`, `elf64`, `multiboot` or `flat`.
  public let format: String
  public let isLinux: Bool
  public let policy: String
  /// `hardware` or `model` for the policies `autoload` and `shadow`; null for any other policy.
  @Nullable public private(set) var mechanism: String?
  /// How far the policy protects the guest on this host, as in `Protection.Level`.
  public let protection: String
  public let protectionReason: String
  /// Bytes.
  public let memory: UInt64
  public let commandLine: String
  /// `pit` or `none`.
  public let timer: String
  /// The bits that were hidden from the guest.
  public let hidden: [String]
  /// The number of dropped writes of IA32_PRED_CMD; null without --drop-pred-cmd.
  @Nullable public private(set) var droppedBarriers: UInt64?
  public let end: End
  public let exits: Exits
  /// The MSRs whose accesses KVM refused, and how often.
  public let unservedMSRs: [String: Count]
  public let policyTally: [String: UInt64]
  /// IA32_SPEC_CTRL at the end, as the guest would read it and as the vCPU holds it; null if KVM does not report it.
  @Nullable public private(set) var specCtrl: SpecCtrl?
  /// Seconds from the first entry to the first process; null if that process did not report.
  @Nullable public private(set) var bootSeconds: Double?
  /// Seconds from the first entry to the end.
  public let seconds: Double
  /// The guest kernel's own report on Spectre v2; null if it was not read.
  @Nullable public private(set) var mitigation: String?
  /// The costs of the kernel's work; empty if they were not measured.
  public let kernel: [Figure]

  /// How the guest ended.
  public struct End: Codable, Equatable, Sendable {
    /// `status`, `done`, `reset`, `powerOff`, `panic`, `tripleFault`, `halted`, `timeLimit`, `cancelled` or `failed`.
    public let how: String
    /// The value written to the status port; null if none was.
    @Nullable public private(set) var status: UInt32?
    /// `pass`, `fail` or `skip` of a multiboot image; null for any other.
    @Nullable public private(set) var verdict: String?
    /// How the guest ended, as a sentence.
    public let sentence: String
    /// The last lines of its serial port.
    public let lastLines: [String]
  }

  /// The exits to the VMM by kind and by MSR, and KVM's own count of all exits.
  public struct Exits: Codable, Equatable, Sendable {
    public let total: UInt64
    public let byReason: [String: UInt64]
    public let byMSR: [String: Count]
    public let interruptions: UInt64
    @Nullable public private(set) var kvm: UInt64?
    /// The growth of each of KVM's statistics that grew; null if KVM has none.
    @Nullable public private(set) var kvmStatistics: [String: UInt64]?
    /// The exits by the reason that the processor gave KVM; null if that was not requested.
    @Nullable public private(set) var exitReasons: [String: UInt64]?
  }

  /// The value of a register.
  public struct SpecCtrl: Codable, Equatable, Sendable {
    /// As the guest reads it; null if the guest can only write.
    @Nullable public private(set) var guest: UInt64?
    /// As the vCPU holds it; null if KVM does not read it.
    @Nullable public private(set) var register: UInt64?
  }

  /// Accesses of an MSR that reached the VMM.
  public struct Count: Codable, Equatable, Sendable {
    public let reads: UInt64
    public let writes: UInt64
  }

  /// The cost of one kind of kernel work.
  public struct Figure: Codable, Equatable, Sendable {
    public let name: String
    public let repetitions: Int
    /// Cycles (in the lab, instructions) of one repetition.
    public let median: Double
    public let minimum: Double
    /// Writes of IA32_SPEC_CTRL that reached the VMM, for each repetition.
    public let writesPerRepetition: Double
    public let writes: UInt64
    @Nullable public private(set) var kvmExits: UInt64?
    public let short: [UInt64]
    public let long: [UInt64]

    /// The number of all repetitions.
    public var total: Int { (short.count + 2 * long.count) * repetitions }
  }
}

extension BootReport {
  /// The report of a record.
  public init(_ record: BootRecord) {
    let counters = record.counters
    self.init(
      image: record.order.name, format: record.format.rawValue, isLinux: record.isLinux,
      policy: record.order.policy.rawValue, mechanism: record.mechanism?.rawValue,
      protection: record.protection.level.rawValue,
      protectionReason: record.protection.reason, memory: record.order.memory, commandLine: record.commandLine,
      timer: record.order.hasTimer ? "pit" : "none", hidden: record.order.hidden.map(\.name),
      droppedBarriers: record.order.dropsBarriers ? record.droppedBarriers : nil,
      end: End(record),
      exits: Exits(
        total: counters.total,
        byReason: Dictionary(uniqueKeysWithValues: counters.byKind.map { ($0.key.name, $0.value) }),
        byMSR: counters.byMSR.reduce(into: [:]) { $0[$1.key.hex] = Count($1.value) },
        interruptions: counters.interruptions, kvm: record.kvmExits, kvmStatistics: record.kvmStatistics,
        exitReasons: record.exitReasons),
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
  /// The name of the work in the results of `spectrap boot`.
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
  /// QEMU's exit status is twice that plus 1.
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
