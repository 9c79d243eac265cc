// The proof that a guest on this host has an MSR. Asking KVM proves nothing: KVM_SET_MSRS reports success where the
// value is dropped (kvm_pvm does so with SPEC_CTRL), and keeps a value for a register that the guest's own WRMSR faults
// on (kvm_amd in Linux 6.1 does so where the processor has no SPEC_CTRL). So a guest of five instructions writes it,
// and KVM reads it back. An MSR that only takes writes (IA32_PRED_CMD) cannot be read back. There the guest's write
// without a #GP is all the proof that can be had; it is worth something only where a write of an MSR that no processor
// has does raise one.
// Facts: KVM API document, sections 4.18 and 4.19; Intel SDM vol. 2 (WRMSR), vol. 3A, 20.1.4 (real-mode vectors).

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
  /// KVM does not read the MSR, so nothing can be proved.
  case unreadable
  /// The guest did not get as far as that: the exit that it ended with, in words.
  case inconclusive(endedWith: String)

  /// Whether the register is there, and holds what is written.
  public var isHeld: Bool { if case .held = self { true } else { false } }
}

extension RegisterProof {
  /// Proves it on a VM made for that, with all of the CPUID that KVM offers.
  ///
  /// - Throws: `KVMError`, `MSRAccessError` or `GuestMemoryError` when KVM fails at that: then nothing is proved.
  public init(of msr: MSR, on kvm: borrowing KVM) throws {
    if msr.isCommand {
      self = try Self.ofCommand(msr, on: kvm)
      return
    }
    var guest = try Guest(on: kvm)
    guard let before = try guest.cpu.readIfPresent(msr) else {
      self = .unreadable
      return
    }
    // The lowest bit: IBRS in SPEC_CTRL, and legal in most MSRs that a guest's kernel owns.
    let wrote = before ^ 1
    switch try guest.end(writing: wrote, to: msr) {
    case .done:
      let (after, again) = (try guest.cpu.readIfPresent(msr), try guest.cpu.readIfPresent(msr))
      if after != again {
        self = .moving
      } else {
        self = after == wrote ? .held(wrote: wrote) : .dropped(wrote: wrote, readBack: after ?? before)
      }
    case .faulted: self = .faulted(wrote: wrote)
    case .lost(let exit): self = .inconclusive(endedWith: "\(exit)")
    }
  }

  /// A number that no processor has: what is accepted there is ignored.
  private static let missing = MSR(0x474f_4f00)

  /// The proof of an MSR that only takes writes: its lowest bit is the command (IBPB, L1D_FLUSH).
  private static func ofCommand(_ msr: MSR, on kvm: borrowing KVM) throws -> RegisterProof {
    var guest = try Guest(on: kvm)
    switch try guest.end(writing: 1, to: msr) {
    case .done: break
    case .faulted: return .faulted(wrote: 1)
    case .lost(let exit): return .inconclusive(endedWith: "\(exit)")
    }
    var other = try Guest(on: kvm)
    if case .faulted = try other.end(writing: 1, to: missing) { return .accepted(wrote: 1) }
    return .ignored(wrote: 1)
  }

  /// The guest, in one page of real mode: vectors, code, a #GP handler.
  ///
  /// It ends after at most seven instructions.
  private struct Guest: ~Copyable {
    var vm: VirtualMachine
    var cpu: VirtualCPU

    /// How it ended.
    enum End {
      case done
      /// The WRMSR raised #GP.
      case faulted
      case lost(Exit)
    }

    init(on kvm: borrowing KVM) throws {
      let vm = try kvm.makeVM()
      var cpu = try vm.makeVCPU()
      try cpu.setCPUID(try kvm.supportedCPUID())
      self.vm = vm
      self.cpu = cpu
    }

    /// Runs it.
    mutating func end(writing value: UInt64, to msr: MSR) throws -> End {
      try vm.addMemory(at: 0, count: 4096)
      try vm.write(Self.memory(writing: value, to: msr), at: 0)
      try cpu.startInRealMode(at: Self.code, stack: 4096 - 2)
      var exit = try cpu.run()
      while exit == .interrupted { exit = try cpu.run() }
      guard case .portOut(let access) = exit else { return .lost(exit) }
      return access.port == UInt16(Self.faultPort) ? .faulted : .done
    }

    static let code: UInt16 = 0x400
    private static let handler: UInt16 = 0x500
    static let donePort: UInt8 = 0
    static let faultPort: UInt8 = 1

    static func memory(writing value: UInt64, to msr: MSR) -> [UInt8] {
      func bytes(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32($0 * 8)) } }
      var page = [UInt8](repeating: 0, count: 4096)
      func place(_ bytes: [UInt8], at offset: UInt16) {
        page.replaceSubrange(Int(offset)..<Int(offset) + bytes.count, with: bytes)
      }
      place([UInt8(truncatingIfNeeded: handler), UInt8(handler >> 8), 0, 0], at: 13 * 4)
      place(
        [0x66, 0xb9] + bytes(msr.rawValue)  // mov ecx, msr
          + [0x66, 0xb8] + bytes(UInt32(truncatingIfNeeded: value))  // mov eax, low half
          + [0x66, 0xba] + bytes(UInt32(value >> 32))  // mov edx, high half
          + [0x0f, 0x30]  // wrmsr
          + [0xe6, donePort],  // out donePort, al
        at: code)
      place([0xe6, faultPort], at: handler)  // out faultPort, al
      return page
    }
  }
}

extension RegisterProof {
  /// What was seen, as a person reads it.
  public var text: String {
    switch self {
    case .held(let wrote): "a guest wrote \(wrote.hex), and it read back"
    case .dropped(let wrote, let readBack): "a guest wrote \(wrote.hex), and \(readBack.hex) read back"
    case .moving: "its value moves by itself, so that a write cannot be proved by reading it back"
    case .faulted(let wrote): "a guest that wrote \(wrote.hex) got a #GP"
    case .accepted(let wrote): "a guest wrote \(wrote.hex) without a #GP, and it cannot be read back"
    case .ignored(let wrote):
      "a guest wrote \(wrote.hex) without a #GP, but so does one that writes an MSR which no processor has"
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
