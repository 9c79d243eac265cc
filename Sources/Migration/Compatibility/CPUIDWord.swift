// The registers of CPUID whose bits are features: what a guest may have been told, and a host must then offer.
//
// Facts: Intel SDM vol. 2 (CPUID); AMD APM vol. 3, appendix E; Linux arch/x86/kvm/cpuid.c (kvm_set_cpu_caps: the words
// that KVM fills; kvm_update_cpuid_runtime: the bits that follow the guest's own registers);
// Documentation/virt/kvm/x86/cpuid.rst.

public import Hypervisor

/// One register of one CPUID leaf.
public struct CPUIDWord: Hashable, Sendable {
  public let leaf: UInt32
  public let subleaf: UInt32
  public let register: CPUFeature.Register

  /// The register at the given place.
  public init(_ leaf: UInt32, _ subleaf: UInt32 = 0, _ register: CPUFeature.Register) {
    self.leaf = leaf
    self.subleaf = subleaf
    self.register = register
  }
}

extension CPUIDWord {
  /// What a word's value means when a guest moves.
  public enum Kind: Sendable {
    /// Each bit is a feature: the destination must offer every one that the guest was told.
    case features
    /// A number: the destination must have the same, unless the guest was told 0.
    case quantity
  }

  /// Every word that is compared, in the manual's order.
  public static let all: [CPUIDWord] = table.map(\.word)

  /// What the word's value means.
  public var kind: Kind { Self.quantities.contains(self) ? .quantity : .features }

  /// The bits that do not depend on the host: they follow the guest's own registers (OSXSAVE, OSPKE, MONITOR and APIC),
  /// or every hypervisor sets them (HYPERVISOR).
  public var ignoredBits: UInt32 { Self.ignored[self] ?? 0 }

  /// The bits that promise or advise: no instruction fails without one, but a guest that was told it has left out a
  /// mitigation, or relies on one that does nothing there.
  public var promiseBits: UInt32 { Self.promises[self] ?? 0 }

  private static let promises: [CPUIDWord: UInt32] = {
    func bits(_ features: [CPUFeature]) -> UInt32 { features.reduce(0) { $0 | $1.mask } }
    return [
      CPUIDWord(7, 0, .edx): bits([.mdClear]), CPUIDWord(7, 2, .edx): bits([.mcdtNo]),
      // Beside those with a constant: BTC_NO and IBPB_RET.
      CPUIDWord(0x8000_0008, 0, .ebx): bits([
        .amdIBRSAlwaysOn, .amdSTIBPAlwaysOn, .amdIBRSPreferred, .amdIBRSSameMode, .amdSSBNo,
      ]) | 1 << 29 | 1 << 30,
      // NO_NESTED_DATA_BP, VERW_CLEAR, IBPB_BRTYPE and SRSO_NO; TSA_SQ_NO and TSA_L1_NO.
      CPUIDWord(0x8000_0021, 0, .eax): bits([.lfenceSerialising]) | 1 << 0 | 1 << 5 | 1 << 28 | 1 << 29,
      CPUIDWord(0x8000_0021, 0, .ecx): 1 << 1 | 1 << 2,
    ]
  }()

  private static let table: [(word: CPUIDWord, ignored: UInt32)] =
    [
      (CPUIDWord(1, .ecx), 1 << 3 | 1 << 27 | CPUFeature.hypervisor.mask), (CPUIDWord(1, .edx), 1 << 9),
      (CPUIDWord(6, .eax), 0),
      (CPUIDWord(7, 0, .ebx), 0), (CPUIDWord(7, 0, .ecx), 1 << 4), (CPUIDWord(7, 0, .edx), 0),
      (CPUIDWord(7, 1, .eax), 0), (CPUIDWord(7, 1, .ebx), 0), (CPUIDWord(7, 1, .ecx), 0), (CPUIDWord(7, 1, .edx), 0),
      (CPUIDWord(7, 2, .edx), 0),
      // XSAVE: XCR0, the instructions, IA32_XSS.
      (CPUIDWord(0xd, 0, .eax), 0), (CPUIDWord(0xd, 0, .edx), 0), (CPUIDWord(0xd, 1, .eax), 0),
      (CPUIDWord(0xd, 1, .ecx), 0), (CPUIDWord(0xd, 1, .edx), 0),
      (CPUIDWord(0x12, 0, .eax), 0), (CPUIDWord(0x12, 0, .ebx), 0),
      (CPUIDWord(0x14, 0, .ebx), 0), (CPUIDWord(0x14, 0, .ecx), 0),
      (CPUIDWord(0x1e, 1, .eax), 0),
      (CPUIDWord(0x4000_0001, .eax), 0),
      (CPUIDWord(0x8000_0001, .ecx), 0), (CPUIDWord(0x8000_0001, .edx), 0),
      (CPUIDWord(0x8000_0007, .ebx), 0), (CPUIDWord(0x8000_0007, .edx), 0),
      (CPUIDWord(0x8000_0008, .ebx), 0),
      (CPUIDWord(0x8000_000a, .edx), 0),
      (CPUIDWord(0x8000_001f, .eax), 0),
      (CPUIDWord(0x8000_0021, .eax), 0), (CPUIDWord(0x8000_0021, .ecx), 0),
      (CPUIDWord(0x8000_0022, .eax), 0),
      (CPUIDWord(0xc000_0001, .edx), 0),
    ] + quantities.map { ($0, 0) }

  /// The performance counters (Intel's leaf 0AH, AMD's 8000_0022H) and the version of AVX10.
  private static let quantities: [CPUIDWord] = [
    CPUIDWord(0xa, .eax), CPUIDWord(0xa, .ebx), CPUIDWord(0xa, .edx), CPUIDWord(0x24, .ebx),
    CPUIDWord(0x8000_0022, .ebx),
  ]

  private static let ignored: [CPUIDWord: UInt32] =
    Dictionary(table.map { ($0.word, $0.ignored) }, uniquingKeysWith: { first, _ in first })
}

extension CPUIDWord {
  private init(_ leaf: UInt32, _ register: CPUFeature.Register) { self.init(leaf, 0, register) }

  /// The name of a bit's feature if there is one, else its place in the manual's notation.
  func name(ofBit bit: Int) -> String {
    let constant = CPUFeature.all.first {
      $0.leaf == leaf && $0.subleaf == subleaf && $0.register == register && $0.bit == bit
    }
    return constant?.name ?? Self.names[self]?[bit] ?? "\(self)[\(bit)]"
  }

  /// The word's key in files: leaf and subleaf in hexadecimal, and the register, `7.0.edx`.
  public var key: String {
    "\(leaf.hexDigits(1)).\(subleaf.hexDigits(1)).\(register.rawValue)"
  }

  /// Reads a key; nil if the text is not one.
  public init?(key: String) {
    let parts = key.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let leaf = UInt32(parts[0], radix: 16), let subleaf = UInt32(parts[1], radix: 16),
      let register = CPUFeature.Register(rawValue: String(parts[2]))
    else { return nil }
    self.init(leaf, subleaf, register)
    // Only the canonical spelling, without a sign or leading zeroes.
    guard self.key == key else { return nil }
  }
}

extension CPUIDWord: CustomStringConvertible {
  /// The place in the manual's notation: `CPUID.07H.0:EDX`.
  public var description: String {
    "CPUID.\(leaf.hexDigits(2).uppercased())H.\(subleaf):\(register.rawValue.uppercased())"
  }
}
