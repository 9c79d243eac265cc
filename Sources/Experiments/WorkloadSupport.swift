// Whether a guest on this host can do what a workload is about, said before anything runs: otherwise it would end with
// a #GP.

public import GuestImages
public import Hypervisor

extension Workload {
  /// Why a guest cannot run the workload on these terms, which `Terms.proved(for:on:)` has completed; nil when it can,
  /// and when its own MSR is the policy's, which has been proved for that, or else is intercepted.
  public func refusal(on terms: Terms) -> String? {
    ownMSR(besides: terms.abilities.subject).flatMap { terms.otherRegisters[$0] }.flatMap(refusal(after:))
  }

  /// The MSR that it accesses, nil for none and for the policy's.
  func ownMSR(besides subject: MSR) -> MSR? { accessesMSR && msr != subject ? msr : nil }

  /// Why a guest cannot run it after this proof of its MSR, nil when it can.
  func refusal(after proof: RegisterProof) -> String? {
    switch proof {
    // A guest wrote it without a #GP.
    case .held, .accepted, .moving: nil
    default: "guests of this KVM cannot use \(msr) (\(msr.hex)): \(proof.text)"
    }
  }

  /// Why no policy's guest on this host would run the workload as it is by default; nil when one would.
  ///
  /// - Throws: What making a VM to try it on throws.
  public func proveRefusal(on kvm: borrowing KVM) throws -> String? {
    // No policy offers a guest more than emulate.
    try ownMSR(besides: .specCtrl).flatMap { refusal(after: try .prove($0, on: kvm)) }
      ?? refusal(toldOf: Emulate().contract(from: try GuestContract(offeredBy: kvm)))
  }

  /// Why a guest that is told this would not run the workload, nil when it would.
  func refusal(toldOf contract: GuestContract) -> String? {
    guard msr == .specCtrl else { return nil }
    let missing = SpecCtrl(rawValue: writtenBits).reserved(on: contract.cpuid)
    guard !missing.isEmpty else { return nil }
    return "it writes \(missing) to \(MSR.specCtrl), which its guest is not told of here"
  }
}
