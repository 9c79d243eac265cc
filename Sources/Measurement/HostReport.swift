// The host in results. The schema is documented in docs/json.md.

public import Registers

/// A host and its abilities.
///
/// A report is made once, whole. (Tests of this module change copies.)
public struct HostReport: Codable, Equatable, Sendable {
  /// The Linux kernel's release.
  @Nullable public internal(set) var kernel: String?
  /// `kvm_intel`, `kvm_amd`, `kvm_pvm`, another module's name, or `none`.
  public internal(set) var module: String
  public internal(set) var moduleParameters: [String: String]
  public internal(set) var cpu: CPU
  /// Whether this host is a virtual machine itself.
  public internal(set) var isVirtualised: Bool
  /// Its hypervisor's signature, where it is one.
  @Nullable public internal(set) var hypervisor: String?
  /// The kernel's report, by file name under /sys/devices/system/cpu/vulnerabilities.
  public internal(set) var vulnerabilities: [String: String]
  public internal(set) var tsc: TSC
  /// `on`, `off`, …: SMT as the kernel controls it; null where it does not say.
  @Nullable public internal(set) var smt: String?
  /// Every scaling governor in use; empty where the kernel has none.
  public internal(set) var governors: [String]
  @Nullable public internal(set) var turbo: Bool?
  /// The speculation controls of this process (prctl).
  public internal(set) var processStoreBypass: String
  public internal(set) var processIndirectBranch: String
  /// The features that the processor, KVM and a guest have.
  public internal(set) var speculation: Speculation
  /// The bits that the host's kernel keeps set in its own SPEC_CTRL, and those that stay set for guests; null if they
  /// cannot be read.
  @Nullable public internal(set) var hostSpecCtrl: HostBits?
  /// How KVM switches SPEC_CTRL between host and guest; null where the module is not kvm-intel, and in results of older
  /// versions.
  @Nullable public internal(set) var specCtrlMode: Known<SpecCtrlMode>?
  /// The proof that a vCPU's SPEC_CTRL holds a value, in a sentence; null where KVM was not asked.
  @Nullable public internal(set) var specCtrlProof: Fact?
  /// Each kernel entry, proved by a guest; null where that was not asked for.
  @Nullable public internal(set) var entries: [Known<Entry>: Fact]?
  /// Each policy; null where that was not asked for.
  @Nullable public internal(set) var policies: [Known<PolicyName>: Fact]?
  /// KVM's capabilities that are there, with their values; null where KVM was not asked.
  @Nullable public internal(set) var capabilities: [String: Int]?

  public struct CPU: Codable, Equatable, Sendable {
    @Nullable public internal(set) var vendor: String?
    @Nullable public internal(set) var model: String?
    @Nullable public internal(set) var family: Int?
    @Nullable public internal(set) var modelNumber: Int?
    @Nullable public internal(set) var stepping: Int?
    @Nullable public internal(set) var microcode: String?
    @Nullable public internal(set) var logicalCount: Int?

    public init(
      vendor: String?, model: String?, family: Int?, modelNumber: Int?, stepping: Int?, microcode: String?,
      logicalCount: Int?
    ) {
      self.vendor = vendor
      self.model = model
      self.family = family
      self.modelNumber = modelNumber
      self.stepping = stepping
      self.microcode = microcode
      self.logicalCount = logicalCount
    }
  }

  public struct TSC: Codable, Equatable, Sendable {
    @Nullable public internal(set) var hertz: Double?
    /// Where the frequency is from.
    @Nullable public internal(set) var source: String?
    /// Whether it runs at one rate in all states (CPUID 8000_0007).
    public internal(set) var invariant: Bool
    /// Whether it is the kernel's clocksource.
    public internal(set) var isClocksource: Bool
    /// The kernel's clocksource; null where that is not known, and in older results.
    @Nullable public internal(set) var clocksource: String?

    public init(hertz: Double?, source: String?, invariant: Bool, isClocksource: Bool, clocksource: String? = nil) {
      self.hertz = hertz
      self.source = source
      self.invariant = invariant
      self.isClocksource = isClocksource
      self.clocksource = clocksource
    }
  }

  public struct Speculation: Codable, Equatable, Sendable {
    public internal(set) var cpu: SpeculationView
    /// What KVM offers guests; null where KVM was not asked.
    @Nullable public internal(set) var kvm: SpeculationView?
    /// What a guest saw; null where none was run.
    @Nullable public internal(set) var guest: SpeculationView?

    public init(cpu: SpeculationView, kvm: SpeculationView?, guest: SpeculationView?) {
      self.cpu = cpu
      self.kvm = kvm
      self.guest = guest
    }
  }

  /// Bits of SPEC_CTRL that the host's kernel keeps set while it runs.
  public struct HostBits: Codable, Equatable, Sendable {
    public internal(set) var value: UInt64
    /// The source: `register`, or `kernel`, which reports IBRS and BHI_DIS_S only.
    public internal(set) var source: String
    /// The bits that a policy keeps set for a guest, proved by reading them back; null where that was not tried.
    @Nullable public internal(set) var kept: UInt64?

    public init(value: UInt64, source: String, kept: UInt64? = nil) {
      self.value = value
      self.source = source
      self.kept = kept
    }
  }

  /// Whether something works here, and what was seen.
  public struct Fact: Codable, Equatable, Sendable {
    /// Null where it could not be tried; then `seen` says why.
    @Nullable public internal(set) var works: Bool?
    public internal(set) var seen: String
    /// How far a policy protects; null for other facts, where it does not work, and in results of older versions.
    @Nullable public internal(set) var protects: Known<ProtectionLevel>?
    /// Who carries out a policy that names a mechanism of the hardware; null for all else, and in results of older
    /// versions.
    @Nullable public internal(set) var mechanism: Known<PolicyMechanism>?

    public init(
      works: Bool?, seen: String, protects: Known<ProtectionLevel>? = nil, mechanism: Known<PolicyMechanism>? = nil
    ) {
      self.works = works
      self.seen = seen
      self.protects = protects
      self.mechanism = mechanism
    }
  }

  public init(
    kernel: String?, module: String, moduleParameters: [String: String], cpu: CPU, isVirtualised: Bool,
    hypervisor: String?, vulnerabilities: [String: String], tsc: TSC, smt: String?, governors: [String], turbo: Bool?,
    processStoreBypass: String, processIndirectBranch: String, speculation: Speculation, hostSpecCtrl: HostBits? = nil,
    specCtrlMode: Known<SpecCtrlMode>? = nil,
    specCtrlProof: Fact? = nil, entries: [Known<Entry>: Fact]? = nil, policies: [Known<PolicyName>: Fact]? = nil,
    capabilities: [String: Int]? = nil
  ) {
    self.kernel = kernel
    self.module = module
    self.moduleParameters = moduleParameters
    self.cpu = cpu
    self.isVirtualised = isVirtualised
    self.hypervisor = hypervisor
    self.vulnerabilities = vulnerabilities
    self.tsc = tsc
    self.smt = smt
    self.governors = governors
    self.turbo = turbo
    self.processStoreBypass = processStoreBypass
    self.processIndirectBranch = processIndirectBranch
    self.speculation = speculation
    self.hostSpecCtrl = hostSpecCtrl
    self.specCtrlMode = specCtrlMode
    self.specCtrlProof = specCtrlProof
    self.entries = entries
    self.policies = policies
    self.capabilities = capabilities
  }
}

extension HostReport.Speculation {
  /// Whether the hardware has IBRS_ALL; nil where that is not known: a process cannot read IA32_ARCH_CAPABILITIES
  /// without the msr driver, and KVM then tells what it offers.
  var hasIBRSAll: Bool? { cpu.ibrsAll ?? kvm?.ibrsAll }
}

/// A view of speculation control; null where something cannot be seen.
public struct SpeculationView: Codable, Equatable, Sendable {
  /// IBRS, and with it SPEC_CTRL: CPUID 7 EDX 26, or AMD's 8000_0008 EBX 14.
  public internal(set) var ibrs: Bool
  public internal(set) var stibp: Bool
  public internal(set) var ssbd: Bool
  /// IBPB, the barrier of IA32_PRED_CMD.
  public internal(set) var ibpb: Bool
  /// IA32_ARCH_CAPABILITIES.IBRS_ALL.
  @Nullable public internal(set) var ibrsAll: Bool?
  /// IA32_ARCH_CAPABILITIES as it reads.
  @Nullable public internal(set) var archCapabilities: UInt64?
  /// The newer controls of SPEC_CTRL, CPUID 7, subleaf 2, EDX: BHI_CTRL, RRSBA_CTRL, IPRED_CTRL, and PSFD (AMD's is
  /// 8000_0008 EBX 28); null in results of older versions.
  @Nullable public internal(set) var bhiCtrl: Bool?
  @Nullable public internal(set) var rrsbaCtrl: Bool?
  @Nullable public internal(set) var ipredCtrl: Bool?
  @Nullable public internal(set) var psfd: Bool?
  /// AMD's automatic IBRS, which a kernel turns on once in IA32_EFER (CPUID 8000_0021 EAX 8), and its hardware shadow
  /// of SPEC_CTRL for guests (V_SPEC_CTRL, 8000_000A EDX 20); null in results of older versions.
  @Nullable public internal(set) var automaticIBRS: Bool?
  @Nullable public internal(set) var virtualSpecCtrl: Bool?

  public init(
    ibrs: Bool, stibp: Bool, ssbd: Bool, ibpb: Bool, ibrsAll: Bool?, archCapabilities: UInt64?, bhiCtrl: Bool? = nil,
    rrsbaCtrl: Bool? = nil, ipredCtrl: Bool? = nil, psfd: Bool? = nil, automaticIBRS: Bool? = nil,
    virtualSpecCtrl: Bool? = nil
  ) {
    self.ibrs = ibrs
    self.stibp = stibp
    self.ssbd = ssbd
    self.ibpb = ibpb
    self.ibrsAll = ibrsAll
    self.archCapabilities = archCapabilities
    self.bhiCtrl = bhiCtrl
    self.rrsbaCtrl = rrsbaCtrl
    self.ipredCtrl = ipredCtrl
    self.psfd = psfd
    self.automaticIBRS = automaticIBRS
    self.virtualSpecCtrl = virtualSpecCtrl
  }
}
