// Whether a workload can run on this host. This is decided before it runs; otherwise it would end with a #GP.

public import GuestImages
public import Hypervisor

extension Workload {
  /// Why a guest cannot run the workload on these terms; nil when it can.
  ///
  /// The policy's own MSR needs no check: it is either proved or intercepted.
  ///
  /// - Parameter terms: terms that `Terms.proved(for:on:)` has completed.
  public func refusal(on terms: Terms) -> String? {
    ownMSR(besides: terms.abilities.subject).flatMap { terms.otherRegisters[$0] }.flatMap(refusal(after:))
  }

  /// The MSR that it accesses; nil for none and for the policy's.
  func ownMSR(besides subject: MSR) -> MSR? { accessesMSR && msr != subject ? msr : nil }

  /// Why a guest cannot run it, by the proof of its MSR; nil when it can.
  func refusal(after proof: RegisterProof) -> String? {
    switch proof {
    // A guest wrote it without a #GP.
    case .held, .accepted, .moving: nil
    default: "guests of this KVM cannot use \(msr) (\(msr.hex)): \(proof.text)"
    }
  }

  /// Why the workload with its defaults cannot run here under any policy; nil when it can under some.
  ///
  /// - Throws: What making a VM for the proof throws.
  public func proveRefusal(on kvm: borrowing KVM) throws -> String? {
    // No policy offers a guest more than emulate.
    try ownMSR(besides: .specCtrl).flatMap { refusal(after: try .prove($0, on: kvm)) }
      ?? refusal(toldOf: Emulate().contract(from: try GuestContract(offeredBy: kvm)))
  }

  /// Why a guest with this contract cannot run the workload; nil when it can.
  func refusal(toldOf contract: GuestContract) -> String? {
    guard msr == .specCtrl else { return nil }
    let missing = SpecCtrl(rawValue: writtenBits).reserved(on: contract.cpuid)
    guard !missing.isEmpty else { return nil }
    return "it writes \(missing) to \(MSR.specCtrl), which its guest is not told of here"
  }
}
