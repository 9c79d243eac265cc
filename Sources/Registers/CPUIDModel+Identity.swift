// The CPU's vendor, family and brand, and its hypervisor, by CPUID.
//
// Facts: Intel SDM vol. 2, CPUID leaves 00H and 01H (figure "Version Information"); AMD APM vol. 3, appendix E.3;
// Linux Documentation/virt/kvm/x86/cpuid.rst (leaf 0x4000_0000).

/// Family, model and stepping, as CPUID leaf 1 encodes them in EAX.
public struct CPUSignature: Hashable, Sendable {
  /// The family, including the extended family.
  public var family: Int
  /// The model, including the extended model.
  public var model: Int
  public var stepping: Int

  /// Decodes EAX of leaf 1.
  public init(leaf1EAX eax: UInt32) {
    let baseFamily = Int(eax >> 8 & 0xf)
    let baseModel = Int(eax >> 4 & 0xf)
    family = baseFamily == 0xf ? baseFamily + Int(eax >> 20 & 0xff) : baseFamily
    model = baseFamily == 0xf || baseFamily == 6 ? Int(eax >> 16 & 0xf) << 4 | baseModel : baseModel
    stepping = Int(eax & 0xf)
  }
}

extension CPUIDModel {
  /// The vendor's twelve characters, `GenuineIntel` or `AuthenticAMD`; nil without leaf 0.
  public var vendor: String? {
    self[0].map { CPUIDModel.text([$0.ebx, $0.edx, $0.ecx]) }
  }

  /// Family, model and stepping; nil without leaf 1.
  public var signature: CPUSignature? {
    self[1].map { CPUSignature(leaf1EAX: $0.eax) }
  }

  /// The brand string of leaves 0x8000_0002 to 4, without surrounding spaces; nil if there is none.
  public var brand: String? {
    let leaves = (2...4).map { self[CPUIDModel.firstExtendedLeaf + $0] }
    let registers = leaves.flatMap { leaf in leaf.map { [$0.eax, $0.ebx, $0.ecx, $0.edx] } ?? [] }
    let brand = CPUIDModel.text(registers).split(separator: " ").joined(separator: " ")
    return brand.isEmpty ? nil : brand
  }

  /// The hypervisor's signature, such as `KVMKVMKVM`; nil if the hypervisor bit is clear or the leaf is missing.
  public var hypervisorVendor: String? {
    guard has(.hypervisor), let leaf = self[CPUIDModel.firstHypervisorLeaf] else { return nil }
    let text = CPUIDModel.text([leaf.ebx, leaf.ecx, leaf.edx])
    return text.isEmpty ? nil : text
  }

  /// The characters in registers, lowest byte first; zero bytes are dropped.
  private static func text(_ registers: [UInt32]) -> String {
    let bytes = registers.flatMap { register in (0..<4).map { UInt8(truncatingIfNeeded: register >> ($0 * 8)) } }
    return String(decoding: bytes.filter { $0 != 0 }, as: UTF8.self)
  }
}
