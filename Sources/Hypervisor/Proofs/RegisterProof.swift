// What a proof that a guest on this host has an MSR has shown: the proof itself needs a guest, and is made where guests
// are (Experiments/Proofs).

/// What became of a value that a guest wrote to an MSR.
public enum RegisterProof: Equatable, Codable, Sendable {
  /// It read back: the register is there.
  case held(wrote: UInt64)
  /// The write went through, and another value read back.
  case dropped(wrote: UInt64, readBack: UInt64)
  /// The write went through, and what reads back is another value each time: a clock.
  case moving
  /// The guest's WRMSR raised #GP.
  case faulted(wrote: UInt64)
  /// The MSR only takes writes, and took this one.
  case accepted(wrote: UInt64)
  /// The MSR only takes writes, and took this one; but so does an MSR that no processor has (kvm.ignore_msrs).
  case ignored(wrote: UInt64)
  /// Nobody tried: nothing that is to be decided depends on it.
  case untried
  /// KVM does not read the MSR, so nothing can be proved.
  case unreadable
  /// The guest did not get as far as that: the exit that it ended with, in words.
  case inconclusive(endedWith: String)

  /// Whether the register is there, and holds what is written.
  public var isHeld: Bool { if case .held = self { true } else { false } }
}

extension RegisterProof {
  /// What was seen, in words.
  public var text: String {
    switch self {
    case .held(let wrote): "a guest wrote \(wrote.hex), and it read back"
    case .dropped(let wrote, let readBack): "a guest wrote \(wrote.hex), and \(readBack.hex) read back"
    case .moving: "its value moves by itself, so that a write cannot be proved by reading it back"
    case .faulted(let wrote): "a guest that wrote \(wrote.hex) got a #GP"
    case .accepted(let wrote): "a guest wrote \(wrote.hex) without a #GP, and it cannot be read back"
    case .ignored(let wrote):
      "a guest wrote \(wrote.hex) without a #GP, but so does one that writes an MSR which no processor has"
    case .untried: "nobody has tried whether guests have it"
    case .unreadable: "KVM does not read it"
    case .inconclusive(let exit): "a guest that was to write it ended with \(exit)"
    }
  }

  /// Why a policy that leaves the register to the guest cannot run here, nil when it can.
  func refusal(of msr: MSR) -> String? {
    switch self {
    case .held: nil
    case .accepted: "\(msr) (\(msr.hex)) has no value to save and restore: \(text)"
    case .moving: "\(msr) (\(msr.hex)) cannot be proved to be the guest's: \(text)"
    default: "guests of this KVM have no \(msr) (\(msr.hex)): \(text)"
    }
  }
}
