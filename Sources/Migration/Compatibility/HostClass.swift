// The kinds of host that the rules distinguish, each as a made-up offer: the matrix shows them if no hosts are given.

import Hypervisor

/// A kind of host, by what its guests have of IA32_SPEC_CTRL.
public enum HostClass: String, CaseIterable, Sendable {
  case none = "no-spec-ctrl", ibrs = "spec-ctrl", ibrsAll = "ibrs-all"

  /// One line for a person.
  public var summary: String {
    switch self {
    case .none: "no SPEC_CTRL: no IBRS, no IBPB"
    case .ibrs: "SPEC_CTRL with IBRS, STIBP and SSBD, and IBPB; no IBRS_ALL"
    case .ibrsAll: "the same, and IBRS_ALL"
    }
  }

  /// The offer of such a host; everything else is the same in all of them.
  public var offer: HostOffer {
    var contract = GuestContract(cpuid: CPUIDModel(), archCapabilities: self == .ibrsAll ? .ibrsAll : [])
    contract.cpuid.describe(vendor: "GenuineIntel", physicalAddressBits: 46, linearAddressBits: 48)
    contract.cpuid.set(.archCapabilities, to: true)
    if self != .none {
      for feature in [CPUFeature.specCtrl, .stibp, .ssbd] { contract.cpuid.set(feature, to: true) }
    }
    var addable = FeatureWords()
    if self == .none { addable[CPUIDWord(7, 0, .edx)] = CPUFeature.specCtrl.mask }
    return HostOffer(
      name: rawValue, telling: contract, addable: addable, featureMSRs: FeatureMSRs(),
      clock: GuestClock(kilohertz: 2_000_000, canScale: false),
      abilities: HostAbilities(
        subject: .specCtrl, register: self == .none ? .faulted(wrote: 1) : .held(wrote: 1),
        hasIBRSAll: self == .ibrsAll, canInterceptMSRs: true))
  }
}
