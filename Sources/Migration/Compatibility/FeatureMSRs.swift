// The feature MSRs of a guest that moves: what they told it besides CPUID, and what a destination must offer.
//
// KVM refuses a value that exceeds what it offers itself. The rules here are KVM's, so that the decision refuses in
// advance what KVM would refuse after the guest has stopped.
// Facts: Intel SDM vol. 3, appendix A (VMX capability reporting: A.1 basic information, A.3 to A.5 controls, of whose
// 64 bits the low half says what must be 1 and the high half what may be 1, A.6 miscellaneous data, A.7 and A.8 fixed
// bits, A.9 VMCS enumeration, A.10 VPID and EPT, A.11 VM functions) and 20.8 (IA32_PERF_CAPABILITIES); AMD APM vol. 2,
// DE_CFG; Linux arch/x86/kvm/vmx/nested.c (vmx_set_vmx_msr and the functions that it calls), arch/x86/kvm/x86.c
// (kvm_set_msr_common) and vmx/vmx.c (vmx_set_msr).

public import Hypervisor

/// Feature MSRs and their values; a missing one is unknown to a guest, or reads as 0.
public struct FeatureMSRs: Equatable, Sendable {
  private var values: [MSR: UInt64]

  /// These values, without MSRs that do not matter here.
  ///
  /// IA32_ARCH_CAPABILITIES has its own rules; the microcode's revision and the clocks' ratios only describe.
  public init(_ entries: some Sequence<MSREntry> = []) {
    values = Dictionary(
      entries.filter { ![.archCapabilities, .biosUpdateSignature, .platformInfo].contains($0.msr) }
        .map { ($0.msr, $0.value) }, uniquingKeysWith: { $1 })
  }

  /// The feature MSRs among a vCPU's MSRs.
  public init(among entries: some Sequence<MSREntry>) {
    self.init(entries.filter { $0.msr == .perfCapabilities || $0.msr == .deCfg || MSR.vmxCapabilities ~= $0.msr })
  }

  /// The value of an MSR; nil if it is missing.
  public subscript(msr: MSR) -> UInt64? {
    get { values[msr] }
    set { values[msr] = newValue }
  }

  /// The MSRs, in ascending order.
  public var msrs: [MSR] { values.keys.sorted() }

  /// What a guest with this CPUID can know: VMX's MSRs if it was told VMX, IA32_PERF_CAPABILITIES if it was told PDCM.
  public func known(by cpuid: CPUIDModel) -> FeatureMSRs {
    let words = FeatureWords(cpuid)
    let hasPDCM = words[CPUIDWord(1, 0, .ecx)] & Self.pdcm != 0
    var known = self
    known.values = values.filter { msr, _ in
      switch msr {
      case MSR.vmxCapabilities: cpuid.has(.vmx)
      case .perfCapabilities: hasPDCM
      default: true
      }
    }
    return known
  }

  /// PDCM of CPUID.01H:ECX, which announces IA32_PERF_CAPABILITIES.
  static let pdcm: UInt32 = 1 << 15

  /// The MSRs whose value a host with these others does not accept.
  public func missing(from offer: FeatureMSRs) -> [MSR] {
    msrs.filter { msr in !Self.takes(msr, values[msr] ?? 0, where: offer) }
  }
}

extension FeatureMSRs {
  /// Whether a KVM that offers these values accepts this one of a guest.
  private static func takes(_ msr: MSR, _ told: UInt64, where offer: FeatureMSRs) -> Bool {
    // A guest that reads 0 was told nothing; KVM returns 0 for an MSR that it does not have.
    let offered = offer[msr] ?? 0
    if told == offered { return true }
    return switch msr.rawValue {
    case 0x480: takesBasic(told, offered)
    case 0x481...0x484, 0x48b, 0x48d...0x490: takesControls(told, offered)
    case 0x485: takesMiscellaneous(told, offered, hasTimer: offer.hasPreemptionTimer)
    // The bits of CR0 and CR4 that must be 1: the guest must have been told all of them.
    case 0x486, 0x488: told & offered == offered
    // The bits of them that may be 1; VPID, EPT and VM functions; IA32_VMX_PROCBASED_CTLS3 and EXIT_CTLS2.
    case 0x487, 0x489, 0x48c, 0x491...0x493: told & ~offered == 0
    // The highest index of a VMCS field only describes.
    case 0x48a: true
    // A format that the guest was told must be the same: of branch records (bits 5:0), and of PEBS (11:8) together with
    // how PEBS works (6, 7 and 14, PERF_CAP_PEBS_MASK). Every other bit is a feature.
    case MSR.perfCapabilities.rawValue:
      told & ~offered & ~0xf3f == 0 && (told & 0x3f == 0 || told & 0x3f == offered & 0x3f)
        && (told & 0xf00 == 0 || told & 0x4fc0 == offered & 0x4fc0)
    case MSR.deCfg.rawValue: told & ~offered == 0
    // An unknown MSR.
    default: false
    }
  }

  /// The low half says which controls must be 1, the high half which may be 1: the destination may not require more or
  /// allow less.
  private static func takesControls(_ told: UInt64, _ offered: UInt64) -> Bool {
    let (low, high) = (UInt64(UInt32.max), UInt64(UInt32.max) << 32)
    return offered & low & ~told == 0 && told & high & ~offered == 0
  }

  /// The same revision of the VMCS (bits 30:0), a VMCS that is not larger (44:32), no feature missing (49, 54, 55), and
  /// no narrower addresses (48).
  private static func takesBasic(_ told: UInt64, _ offered: UInt64) -> Bool {
    func size(_ value: UInt64) -> UInt64 { value >> 32 & 0x1fff }
    let features: UInt64 = 1 << 49 | 1 << 54 | 1 << 55 | 1 << 31 | 0x7 << 45 | 0xff << 56
    return told & 0x7fff_ffff == offered & 0x7fff_ffff && size(offered) <= size(told) && told & features & ~offered == 0
      && told >> 48 & 1 == 0
  }

  /// Features (5 to 8, 14, 15, 28 to 30), the rate of the preemption timer if there is one (4:0), the number of CR3
  /// targets (24:16) and of MSRs in a list (27:25), and the MSEG revision (63:32).
  private static func takesMiscellaneous(_ told: UInt64, _ offered: UInt64, hasTimer: Bool) -> Bool {
    let features: UInt64 = 0x1e0 | 0xfe00 | 0xf << 28
    func part(_ value: UInt64, _ shift: UInt64, _ mask: UInt64) -> UInt64 { value >> shift & mask }
    return told & features & ~offered == 0 && (!hasTimer || told & 0x1f == offered & 0x1f)
      && part(told, 16, 0x1ff) <= part(offered, 16, 0x1ff) && part(told, 25, 7) <= part(offered, 25, 7)
      && told >> 32 == offered >> 32
  }

  /// Whether the VMX preemption timer may be used: bit 6 of the pin-based controls.
  private var hasPreemptionTimer: Bool { (self[MSR(0x481)] ?? 0) >> 38 & 1 == 1 }
}

extension FeatureMSRs: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: TextKey.self)
    var entries: [MSREntry] = []
    for key in container.allKeys {
      // Only the canonical spelling, the number in hexadecimal: `0x480`.
      guard let msr = MSR(parsing: key.stringValue), msr.hex == key.stringValue else {
        throw DecodingError.dataCorruptedError(
          forKey: key, in: container, debugDescription: "\"\(key.stringValue.plain)\" is not the number of an MSR")
      }
      entries.append(MSREntry(msr, try container.decode(UInt64.self, forKey: key)))
    }
    self.init(entries)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: TextKey.self)
    for (msr, value) in values { try container.encode(value, forKey: TextKey(stringValue: msr.hex)) }
  }
}
