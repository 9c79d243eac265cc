// The JSON result of `spectrap run`. The schema is documented in docs/json.md; a change of meaning
// raises `schemaVersion`.

public import Registers

/// One guest's run under one policy.
public struct RunReport: Codable, Equatable, Sendable {
  /// The version of this schema.
  public static let currentSchemaVersion = 2
  /// The versions that this program reads: version 1 has no identity.
  public static let readableSchemaVersions = 1...currentSchemaVersion

  public let schemaVersion: Int
  /// The host, the moment and the run; null in results of version 1.
  @Nullable public private(set) var identity: ResultIdentity?
  /// The host; null where it was not requested.
  @Nullable public private(set) var host: HostReport?
  public let workload: Known<WorkloadName>
  /// The workload's parameters by name.
  public let parameters: [String: Int]
  public let entry: Known<Entry>
  /// Why this entry: given, or the best that works here.
  public let entryChoice: String
  public let policy: Known<PolicyName>
  /// Who carries the policy out where it names a mechanism of the hardware (`autoload`, `shadow`); null for any other
  /// policy, and in results of older versions.
  @Nullable public private(set) var mechanism: Known<PolicyMechanism>?
  /// Iterations in all, over all samples.
  public let iterations: UInt64
  public let samples: Int
  public let protection: Protection
  /// What the guest lost when it was moved against advice.
  public let warnings: [String]
  /// The host that the guest came from; null for one that started here.
  @Nullable public private(set) var origin: String?
  /// Whether the guest ran to its end.
  public let completed: Bool
  /// `timeLimit`, `cancelled` or `paused` where it did not.
  @Nullable public private(set) var stopped: String?
  public let exits: Exits
  public let kvm: KVM
  public let guest: Guest
  public let vmm: VMM
  public let msr: Register
  /// The policy's own counts.
  public let policyTally: [String: UInt64]

  public struct Protection: Codable, Equatable, Sendable {
    public let level: Known<ProtectionLevel>
    public let reason: String

    public init(level: Known<ProtectionLevel>, reason: String) {
      self.level = level
      self.reason = reason
    }
  }

  /// The first witness: what reached the VMM.
  public struct Exits: Codable, Equatable, Sendable {
    public let total: UInt64
    public let byReason: [String: UInt64]
    public let byMSR: [Known<MSR>: Accesses]
    /// How often a signal ended KVM_RUN.
    public let interruptions: UInt64

    public init(total: UInt64, byReason: [String: UInt64], byMSR: [Known<MSR>: Accesses], interruptions: UInt64) {
      self.total = total
      self.byReason = byReason
      self.byMSR = byMSR
      self.interruptions = interruptions
    }
  }

  public struct Accesses: Codable, Equatable, Sendable {
    public let reads: UInt64
    public let writes: UInt64

    public init(reads: UInt64, writes: UInt64) {
      self.reads = reads
      self.writes = writes
    }
  }

  /// The second witness: the growth of KVM's own statistics; null where KVM has none.
  public struct KVM: Codable, Equatable, Sendable {
    @Nullable public private(set) var exits: UInt64?
    /// KVM's exits minus the VMM's: those that KVM ended by itself.
    @Nullable public private(set) var lightExits: UInt64?
    /// Every statistic that grew.
    @Nullable public private(set) var statistics: [String: UInt64]?
    /// Why there are none, in a sentence; null where there are.
    @Nullable public private(set) var whyNone: String?
    /// The exits by the reason that the processor gave KVM; null where that was not asked for.
    @Nullable public private(set) var exitReasons: [String: UInt64]?

    public init(
      exits: UInt64?, lightExits: UInt64?, statistics: [String: UInt64]?, whyNone: String? = nil,
      exitReasons: [String: UInt64]? = nil
    ) {
      self.exits = exits
      self.lightExits = lightExits
      self.statistics = statistics
      self.whyNone = whyNone
      self.exitReasons = exitReasons
    }
  }

  /// The third witness: the guest.
  public struct Guest: Codable, Equatable, Sendable {
    /// The median over the samples, in ticks of the guest's time-stamp counter; null before the first sample is done.
    @Nullable public private(set) var cyclesPerIteration: Double?
    @Nullable public private(set) var distribution: Distribution?
    /// Why its time stamps are wrong, so that they give no figures; null where no contradiction is known.
    @Nullable public private(set) var clockDoubt: String?
    /// How often its kernel was entered, by its own count; null for a guest that was stopped, which reports it at its
    /// end.
    @Nullable public private(set) var kernelEntries: UInt64?
    /// What the guest was built to do.
    public let expected: Expected
    /// What it was told of SPEC_CTRL in CPUID and IA32_ARCH_CAPABILITIES, read back from KVM.
    public let told: SpeculationView
    /// The same as the guest itself read it; null for a guest that does not read it.
    @Nullable public private(set) var sees: SpeculationView?
    /// The results of the workload `probe`'s accesses.
    @Nullable public private(set) var probe: [ProbeStep]?

    public init(
      cyclesPerIteration: Double?, distribution: Distribution?, clockDoubt: String? = nil, kernelEntries: UInt64?,
      expected: Expected,
      told: SpeculationView, sees: SpeculationView?, probe: [ProbeStep]?
    ) {
      self.cyclesPerIteration = cyclesPerIteration
      self.distribution = distribution
      self.clockDoubt = clockDoubt
      self.kernelEntries = kernelEntries
      self.expected = expected
      self.told = told
      self.sees = sees
      self.probe = probe
    }
  }

  public struct Expected: Codable, Equatable, Sendable {
    /// The MSR that the workload accesses: the policy's, or one of its own.
    public let msr: Known<MSR>
    /// Accesses of that MSR.
    public let msrReads: UInt64
    public let msrWrites: UInt64
    public let portOuts: UInt64
    public let mmioWrites: UInt64
    public let halts: UInt64

    public init(
      msr: Known<MSR> = .known(.specCtrl), msrReads: UInt64, msrWrites: UInt64, portOuts: UInt64,
      mmioWrites: UInt64 = 0,
      halts: UInt64 = 0
    ) {
      self.msr = msr
      self.msrReads = msrReads
      self.msrWrites = msrWrites
      self.portOuts = portOuts
      self.mmioWrites = mmioWrites
      self.halts = halts
    }
  }

  public struct ProbeStep: Codable, Equatable, Sendable {
    public let step: String
    /// Whether the access raised #GP.
    public let faulted: Bool
    public let value: UInt64

    public init(step: String, faulted: Bool, value: UInt64) {
      self.step = step
      self.faulted = faulted
      self.value = value
    }
  }

  /// The host's clock.
  public struct VMM: Codable, Equatable, Sendable {
    /// Host cycles of the whole run over the exits to the VMM, the guest's own time included; null for a guest that had
    /// no more exits than iterations.
    @Nullable public private(set) var cyclesPerExit: Double?
    /// Host cycles from entry to exit, by what ended it, where that was asked for.
    @Nullable public private(set) var roundTrips: [String: CycleSummary]?

    public init(cyclesPerExit: Double?, roundTrips: [String: CycleSummary]?) {
      self.cyclesPerExit = cyclesPerExit
      self.roundTrips = roundTrips
    }
  }

  /// The subject MSR: as the guest reads it (null where it can only write), and as the vCPU's register holds it (null
  /// where KVM does not read it).
  public struct Register: Codable, Equatable, Sendable {
    /// The manual's name where there is one, else the number.
    public let name: String
    public let index: Known<MSR>
    @Nullable public private(set) var start: UInt64?
    @Nullable public private(set) var end: UInt64?
    @Nullable public private(set) var registerStart: UInt64?
    @Nullable public private(set) var registerEnd: UInt64?

    public init(
      _ msr: MSR, start: UInt64?, end: UInt64?, registerStart: UInt64?, registerEnd: UInt64?
    ) {
      name = "\(msr)"
      index = .known(msr)
      self.start = start
      self.end = end
      self.registerStart = registerStart
      self.registerEnd = registerEnd
    }
  }

  public init(
    identity: ResultIdentity? = nil, host: HostReport?, workload: Known<WorkloadName>, parameters: [String: Int] = [:],
    entry: Known<Entry>,
    entryChoice: String, policy: Known<PolicyName>, mechanism: Known<PolicyMechanism>? = nil,
    iterations: UInt64, samples: Int, protection: Protection, warnings: [String] = [], origin: String? = nil,
    completed: Bool,
    stopped: String?, exits: Exits, kvm: KVM, guest: Guest,
    vmm: VMM, msr: Register, policyTally: [String: UInt64]
  ) {
    schemaVersion = Self.currentSchemaVersion
    self.identity = identity
    self.host = host
    self.workload = workload
    self.parameters = parameters
    self.entry = entry
    self.entryChoice = entryChoice
    self.policy = policy
    self.mechanism = mechanism
    self.iterations = iterations
    self.samples = samples
    self.protection = protection
    self.warnings = warnings
    self.origin = origin
    self.completed = completed
    self.stopped = stopped
    self.exits = exits
    self.kvm = kvm
    self.guest = guest
    self.vmm = vmm
    self.msr = msr
    self.policyTally = policyTally
  }
}
