// The kinds of host that the rules tell apart, each as an offer that no real host made: what the matrix is about where
// no hosts are given.

import Hypervisor

/// A kind of host, by what guests get of IA32_SPEC_CTRL there.
public enum HostClass: String, CaseIterable, Sendable {
  case none = "no-spec-ctrl"
  case ibrs = "spec-ctrl"
  case ibrsAll = "ibrs-all"

  /// One line for a person.
  public var summary: String {
    switch self {
    case .none: "no SPEC_CTRL: no IBRS, no IBPB"
    case .ibrs: "SPEC_CTRL with IBRS, STIBP and SSBD, and IBPB; no IBRS_ALL"
    case .ibrsAll: "the same, and IBRS_ALL"
    }
  }

  /// What such a host offers, all else being equal.
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
