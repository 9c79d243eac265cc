// IA32_SPEC_CTRL (MSR 0x48), the register that this project measures: its bits, and which of them a CPU model has.
//
// Facts: Intel SDM vol. 4, table 2-2, register 48H; AMD APM vol. 2, section 3.2.9 (bits 0, 1, 2 and 7 there).

/// The value of IA32_SPEC_CTRL: speculation control.
@frozen
public struct SpecCtrl: NamedBits {
  /// The register's value.
  public var rawValue: UInt64

  /// The given value, including reserved bits.
  @inlinable
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// IBRS: indirect branch restricted speculation.
  @inlinable public static var ibrs: Self { Self(rawValue: 1 << 0) }
  /// STIBP: single thread indirect branch predictors.
  @inlinable public static var stibp: Self { Self(rawValue: 1 << 1) }
  /// SSBD: speculative store bypass disable.
  @inlinable public static var ssbd: Self { Self(rawValue: 1 << 2) }
  /// IPRED_DIS_U: no indirect-branch prediction in user mode until the target is known.
  @inlinable public static var ipredDisU: Self { Self(rawValue: 1 << 3) }
  /// IPRED_DIS_S: the same in supervisor mode.
  @inlinable public static var ipredDisS: Self { Self(rawValue: 1 << 4) }
  /// RRSBA_DIS_U: no alternative predictor for RET in user mode.
  @inlinable public static var rrsbaDisU: Self { Self(rawValue: 1 << 5) }
  /// RRSBA_DIS_S: the same in supervisor mode.
  @inlinable public static var rrsbaDisS: Self { Self(rawValue: 1 << 6) }
  /// PSFD: predictive (fast) store forwarding disable.
  @inlinable public static var psfd: Self { Self(rawValue: 1 << 7) }
  /// DDPD_U: data-dependent prefetcher disable in user mode.
  @inlinable public static var ddpdU: Self { Self(rawValue: 1 << 8) }
  /// BHI_DIS_S: no branch history of user mode in supervisor mode's predictions.
  @inlinable public static var bhiDisS: Self { Self(rawValue: 1 << 10) }

  /// The bits that have a name; bit 9 is reserved.
  public static let bitNames: [(bit: Int, name: String)] = [
    (0, "IBRS"), (1, "STIBP"), (2, "SSBD"), (3, "IPRED_DIS_U"), (4, "IPRED_DIS_S"), (5, "RRSBA_DIS_U"),
    (6, "RRSBA_DIS_S"), (7, "PSFD"), (8, "DDPD_U"), (10, "BHI_DIS_S"),
  ]
}

extension SpecCtrl {
  /// The bits that a CPU with these CPUID features lets software set; a write of any other bit is a #GP.
  ///
  /// Empty when the CPU has no such register. STIBP comes with IBRS even where CPUID does not offer it: such CPUs
  /// ignore the bit instead of faulting (Linux arch/x86/kvm/x86.c said so in kvm_spec_ctrl_valid_bits until 5.9; since
  /// then KVM tries the value on the CPU it runs on, in kvm_spec_ctrl_test_value).
  public static func writable(on model: CPUIDModel) -> SpecCtrl {
    enumeration.reduce(into: []) { bits, rule in
      if model.has(rule.feature) { bits.formUnion(rule.bits) }
    }
  }

  /// The bits whose write faults in a guest of this CPUID when a policy answers for the MSR: none of one that is not
  /// this register.
  package static func reservedBits(of subject: MSR, on model: CPUIDModel) -> UInt64 {
    subject == .specCtrl ? ~writable(on: model).rawValue : 0
  }

  /// Whether a CPU with these CPUID features has the register at all, by the manual's rule: any bit is enough.
  public static func exists(on model: CPUIDModel) -> Bool {
    !writable(on: model).isEmpty
  }

  /// Whether KVM gives the register to a guest with these CPUID features; to any other guest it is a #GP.
  ///
  /// Narrower than the manual's rule (Linux arch/x86/kvm/cpuid.h, guest_has_spec_ctrl_msr). The two differ in practice:
  /// some hypervisors hand AMD_PSFD through alone, and then there is a bit in CPUID and no register to hold it.
  public static func isGivenByKVM(to model: CPUIDModel) -> Bool {
    [CPUFeature.specCtrl, .amdSTIBP, .amdIBRS, .amdSSBD].contains { model.has($0) }
  }

  /// The bits of this value whose write is a #GP on a CPU with these CPUID features.
  public func reserved(on model: CPUIDModel) -> SpecCtrl {
    subtracting(SpecCtrl.writable(on: model))
  }

  private static let enumeration: [(feature: CPUFeature, bits: SpecCtrl)] = [
    (.specCtrl, [.ibrs, .stibp]),
    (.stibp, .stibp),
    (.ssbd, .ssbd),
    (.psfd, .psfd),
    (.ipredCtrl, [.ipredDisU, .ipredDisS]),
    (.rrsbaCtrl, [.rrsbaDisU, .rrsbaDisS]),
    (.ddpdU, .ddpdU),
    (.bhiCtrl, .bhiDisS),
    (.amdIBRS, [.ibrs, .stibp]),
    (.amdSTIBP, .stibp),
    (.amdSSBD, .ssbd),
    (.amdPSFD, .psfd),
  ]
}
