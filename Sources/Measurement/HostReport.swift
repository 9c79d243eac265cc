// The host in results. The schema is documented in docs/json.md.

public import Registers

/// A host and its abilities.
public struct HostReport: Codable, Equatable, Sendable {
  /// The Linux kernel's release.
  @Nullable public var kernel: String?
  /// `kvm_intel`, `kvm_amd`, `kvm_pvm`, another module's name, or `none`.
  public var module: String
  public var moduleParameters: [String: String]
  public var cpu: CPU
  /// Whether this host is a virtual machine itself.
  public var isVirtualised: Bool
  /// Its hypervisor's signature, where it is one.
  @Nullable public var hypervisor: String?
  /// The kernel's report, by file name under /sys/devices/system/cpu/vulnerabilities.
  public var vulnerabilities: [String: String]
  public var tsc: TSC
  /// `on`, `off`, …: SMT as the kernel controls it; null where it does not say.
  @Nullable public var smt: String?
  /// Every scaling governor in use; empty where the kernel has none.
  public var governors: [String]
  @Nullable public var turbo: Bool?
  /// The speculation controls of this process (prctl).
  public var processStoreBypass: String
  public var processIndirectBranch: String
  /// The features that the processor, KVM and a guest have.
  public var speculation: Speculation
  /// What the host's kernel keeps set in its own SPEC_CTRL, and what of it stays set for guests; null where nobody
  /// tells.
  @Nullable public var hostSpecCtrl: HostBits? = nil
  /// The proof that a vCPU's SPEC_CTRL holds a value, in a sentence; null where KVM was not asked.
  @Nullable public var specCtrlProof: Fact? = nil
  /// Each kernel entry, proved by a guest; null where that was not asked for.
  @Nullable public var entries: [Known<Entry>: Fact]? = nil
  /// Each policy; null where that was not asked for.
  @Nullable public var policies: [Known<PolicyName>: Fact]? = nil
  /// KVM's capabilities that are there, with their values; null where KVM was not asked.
  @Nullable public var capabilities: [String: Int]? = nil

  public struct CPU: Codable, Equatable, Sendable {
    @Nullable public var vendor: String?
    @Nullable public var model: String?
    @Nullable public var family: Int?
    @Nullable public var modelNumber: Int?
    @Nullable public var stepping: Int?
    @Nullable public var microcode: String?
    @Nullable public var logicalCount: Int?

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
    @Nullable public var hertz: Double?
    /// Where the frequency is from.
    @Nullable public var source: String?
    /// Whether it runs at one rate in all states (CPUID 8000_0007).
    public var invariant: Bool
    /// Whether it is the kernel's clocksource.
    public var isClocksource: Bool
    /// The kernel's clocksource; null where that is not known, and in older results.
    @Nullable public var clocksource: String?

    public init(hertz: Double?, source: String?, invariant: Bool, isClocksource: Bool, clocksource: String? = nil) {
      self.hertz = hertz
      self.source = source
      self.invariant = invariant
      self.isClocksource = isClocksource
      self.clocksource = clocksource
    }
  }

  public struct Speculation: Codable, Equatable, Sendable {
    public var cpu: SpeculationView
    /// What KVM offers guests; null where KVM was not asked.
    @Nullable public var kvm: SpeculationView?
    /// What a guest saw; null where none was run.
    @Nullable public var guest: SpeculationView?

    public init(cpu: SpeculationView, kvm: SpeculationView?, guest: SpeculationView?) {
      self.cpu = cpu
      self.kvm = kvm
      self.guest = guest
    }
  }

  /// Bits of SPEC_CTRL that the host's kernel keeps set while it runs.
  public struct HostBits: Codable, Equatable, Sendable {
    public var value: UInt64
    /// Who says so: `register`, or `kernel`, which names IBRS and BHI_DIS_S alone.
    public var source: String
    /// Those that a policy keeps set for a guest, proved by reading them back; null where that was not tried.
    @Nullable public var kept: UInt64?

    public init(value: UInt64, source: String, kept: UInt64? = nil) {
      self.value = value
      self.source = source
      self.kept = kept
    }
  }

  /// Whether something works here, and what was seen.
  public struct Fact: Codable, Equatable, Sendable {
    /// Null where it could not be tried; then `seen` says why.
    @Nullable public var works: Bool?
    public var seen: String
    /// How far a policy protects; null for what is no policy, where it does not work, and in results of older versions.
    @Nullable public var protects: Known<ProtectionLevel>?

    public init(works: Bool?, seen: String, protects: Known<ProtectionLevel>? = nil) {
      self.works = works
      self.seen = seen
      self.protects = protects
    }
  }

  public init(
    kernel: String?, module: String, moduleParameters: [String: String], cpu: CPU, isVirtualised: Bool,
    hypervisor: String?, vulnerabilities: [String: String], tsc: TSC, smt: String?, governors: [String], turbo: Bool?,
    processStoreBypass: String, processIndirectBranch: String, speculation: Speculation
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
  public var ibrs: Bool
  public var stibp: Bool
  public var ssbd: Bool
  /// IBPB, the barrier of IA32_PRED_CMD.
  public var ibpb: Bool
  /// IA32_ARCH_CAPABILITIES.IBRS_ALL.
  @Nullable public var ibrsAll: Bool?
  /// IA32_ARCH_CAPABILITIES as it reads.
  @Nullable public var archCapabilities: UInt64?
  /// The newer controls of SPEC_CTRL, CPUID 7, subleaf 2, EDX: BHI_CTRL, RRSBA_CTRL, IPRED_CTRL, and PSFD (AMD's is
  /// 8000_0008 EBX 28); null in results of older versions.
  @Nullable public var bhiCtrl: Bool?
  @Nullable public var rrsbaCtrl: Bool?
  @Nullable public var ipredCtrl: Bool?
  @Nullable public var psfd: Bool?

  public init(
    ibrs: Bool, stibp: Bool, ssbd: Bool, ibpb: Bool, ibrsAll: Bool?, archCapabilities: UInt64?, bhiCtrl: Bool? = nil,
    rrsbaCtrl: Bool? = nil, ipredCtrl: Bool? = nil, psfd: Bool? = nil
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
  }
}
