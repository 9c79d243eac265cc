// The result of a proof that guests on this host have an MSR. The proof itself runs a guest: Experiments/Proofs.

/// What became of a value that a guest wrote to an MSR.
public enum RegisterProof: Equatable, Codable, Sendable {
  /// It read back: the register is there.
  case held(wrote: UInt64)
  /// The write went through, and another value read back.
  case dropped(wrote: UInt64, readBack: UInt64)
  /// The write went through, and each read returns another value: a clock.
  case moving
  /// The guest's WRMSR raised #GP.
  case faulted(wrote: UInt64)
  /// The MSR is write-only, and accepted this write.
  case accepted(wrote: UInt64)
  /// The MSR is write-only and accepted this write, but so did an MSR that no processor has (kvm.ignore_msrs).
  case ignored(wrote: UInt64)
  /// Nobody tried: nothing that is to be decided depends on it.
  case untried
  /// KVM does not read the MSR, so nothing can be proved.
  case unreadable
  /// The guest did not get that far: the exit that it ended with, as text.
  case inconclusive(endedWith: String)

  /// Whether the register exists and holds what is written.
  public var isHeld: Bool { if case .held = self { true } else { false } }
}

extension RegisterProof {
  /// What was observed, as a clause.
  public var text: String {
    switch self {
    case .held(let wrote): "a guest wrote \(wrote.hex), and it read back"
    case .dropped(let wrote, let readBack): "a guest wrote \(wrote.hex), and \(readBack.hex) read back"
    case .moving: "its value changes by itself, so that reading it back proves nothing"
    case .faulted(let wrote): "a guest that wrote \(wrote.hex) got a #GP"
    case .accepted(let wrote): "a guest wrote \(wrote.hex) without a #GP, and it cannot be read back"
    case .ignored(let wrote):
      "a guest wrote \(wrote.hex) without a #GP, but so did one that wrote an MSR which no processor has"
    case .untried: "it was not tried whether guests have it"
    case .unreadable: "KVM does not read it"
    case .inconclusive(let exit): "the guest that tried to write it ended with \(exit)"
    }
  }

  /// Why a policy that gives the register to the guest cannot run here; nil if it can.
  func refusal(of msr: MSR) -> String? {
    switch self {
    case .held: nil
    case .accepted: "\(msr) (\(msr.hex)) has no value to save and restore: \(text)"
    case .moving: "\(msr) (\(msr.hex)) cannot be proved to be the guest's: \(text)"
    default: "guests of this KVM have no \(msr) (\(msr.hex)): \(text)"
    }
  }
}
