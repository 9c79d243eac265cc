// One CPUID leaf or subleaf and its four registers, as in KVM_GET_SUPPORTED_CPUID and KVM_SET_CPUID2.
//
// Facts: KVM API section 4.46 (KVM_GET_SUPPORTED_CPUID), struct kvm_cpuid_entry2; Linux
// arch/x86/include/asm/cpuid.h, cpuid_function_is_indexed (which leaves have subleaves).

/// The result of CPUID for one leaf and subleaf.
public struct CPUIDEntry: Hashable, Codable, Sendable {
  /// The leaf: input EAX.
  public var function: UInt32
  /// The subleaf: input ECX; meaningless unless `indexIsSignificant`.
  public var index: UInt32
  /// KVM's flags, of which only KVM_CPUID_FLAG_SIGNIFCANT_INDEX is used.
  public var flags: UInt32
  public var eax: UInt32
  public var ebx: UInt32
  public var ecx: UInt32
  public var edx: UInt32

  /// KVM_CPUID_FLAG_SIGNIFCANT_INDEX: the result depends on the subleaf.
  public static let significantIndex: UInt32 = 1 << 0

  /// The result for a leaf; by default the flag is set if the leaf has subleaves.
  public init(
    function: UInt32, index: UInt32 = 0, flags: UInt32? = nil,
    eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0, edx: UInt32 = 0
  ) {
    self.function = function
    self.index = index
    self.flags = flags ?? (CPUIDEntry.hasSubleaves(function) || index != 0 ? CPUIDEntry.significantIndex : 0)
    self.eax = eax
    self.ebx = ebx
    self.ecx = ecx
    self.edx = edx
  }

  /// Whether the result depends on the subleaf.
  public var indexIsSignificant: Bool { flags & CPUIDEntry.significantIndex != 0 }

  /// Whether KVM returns this entry for CPUID with these EAX and ECX.
  public func answers(_ leaf: UInt32, _ subleaf: UInt32) -> Bool {
    function == leaf && (!indexIsSignificant || index == subleaf)
  }

  /// One register of the result.
  public subscript(register: CPUFeature.Register) -> UInt32 {
    get {
      switch register {
      case .eax: eax
      case .ebx: ebx
      case .ecx: ecx
      case .edx: edx
      }
    }
    set {
      switch register {
      case .eax: eax = newValue
      case .ebx: ebx = newValue
      case .ecx: ecx = newValue
      case .edx: edx = newValue
      }
    }
  }

  /// Whether the result for this leaf depends on ECX.
  package static func hasSubleaves(_ leaf: UInt32) -> Bool {
    switch leaf {
    case 4, 7, 0xb, 0xd, 0xf, 0x10, 0x12, 0x14, 0x17, 0x18, 0x1d, 0x1e, 0x1f, 0x24, 0x8000_001d: true
    default: false
    }
  }
}

extension CPUIDEntry: CustomStringConvertible {
  /// The leaf, the subleaf if it is significant, and the four registers, in hexadecimal.
  public var description: String {
    let place = indexIsSignificant ? "\(function.hex).\(index)" : function.hex
    return "\(place): eax=\(eax.hex) ebx=\(ebx.hex) ecx=\(ecx.hex) edx=\(edx.hex)"
  }
}
