// The costs that `adaptive` weighs, measured on this host by a guest of two loops: OUT alone, and WRMSRs before an OUT.
// Each is run with the register closed and open, in turn. Of a loop the shortest try counts, since whatever disturbs
// one makes it longer; of opening and closing the median, since KVM waits in it for every reader of the old filter, now
// shorter, now longer.
// Facts: Intel SDM vol. 2 (WRMSR, OUT); vol. 3A, 20.1.4 (real-mode vectors); Linux arch/x86/kvm/x86.c
// (kvm_vm_ioctl_set_msr_filter).

import CKVM

extension AdaptiveCosts {
  /// How often the register is opened and closed: few times, for each may take milliseconds.
  private static let switches = 3
  /// How often each loop is tried between two switches, and how many exits a try has: few enough for some to have no
  /// interrupt in them.
  private static let tries = 4
  private static let exits = 8

  /// Measures them on a VM made for that; the register must be held by its guests.
  ///
  /// The register is open with either value that its lowest bit can have, and the dearer one counts: KVM need not write
  /// what does not differ from the host's.
  ///
  /// - Throws: What making a VM throws, and `PolicyError.refused` when its guest fails.
  init(measuredOn kvm: borrowing KVM, of msr: MSR) throws {
    var guest = try CostGuest(on: kvm, msr)
    let (resting, other) = (guest.resting, guest.resting ^ 1)
    var (closed, trapped, passed) = (Int.max, Int.max, Int.max)
    var open = [Int.max, Int.max]
    var switched: [Int] = []
    for _ in 0..<Self.switches {
      for number in 0..<Self.tries {
        try guest.shiftPhase(number)
        closed = min(closed, try guest.duration(of: .outs, exits: Self.exits))
        trapped = min(trapped, try guest.duration(of: .writes, exits: Self.exits))
      }
      let opening = try guest.duration { guest throws in try guest.open(with: other) }
      for number in 0..<Self.tries {
        try guest.shiftPhase(number)
        // Before the OUTs: KVM may not open the register before the guest's first write.
        passed = min(passed, try guest.duration(of: .writes, exits: Self.exits))
        for (index, value) in [resting, other].enumerated() {
          try guest.cpu.write(msr, value)
          open[index] = min(open[index], try guest.duration(of: .outs, exits: Self.exits))
        }
      }
      switched.append(try guest.duration { guest throws in try guest.close() } + opening)
    }
    self.init(
      // The loop of writes leaves the resting value in the register, as the first of the open ones.
      access: ((trapped - closed) - (passed - open[0])) / (CostGuest.writes * Self.exits),
      exit: (max(open[0], open[1]) - closed) / Self.exits,
      // An exit comes after each of the two.
      price: switched.sorted()[Self.switches / 2] - 2 * closed / Self.exits,
      wholeExit: closed / Self.exits)
  }
}

/// The guest: one page of real mode, with a #GP handler.
private struct CostGuest: ~Copyable {
  var vm: VirtualMachine
  var cpu: VirtualCPU
  let msr: MSR
  /// What the register holds while it is closed.
  let resting: UInt64

  enum Loop: UInt16 {
    case outs = 0x400
    case writes = 0x440
  }

  /// WRMSRs before each OUT of the second loop.
  static let writes = 2
  private static let handler: UInt16 = 0x500
  private static let tickPort: UInt8 = 0
  private static let faultPort: UInt8 = 1

  init(on kvm: borrowing KVM, _ msr: MSR) throws {
    var vm = try kvm.makeVM()
    try vm.enableMSRExits(.filter)
    try vm.setMSRFilter(.denying([msr]))
    var cpu = try vm.makeVCPU()
    try cpu.setCPUID(try kvm.supportedCPUID())
    let resting = try cpu.read(msr)
    try vm.addMemory(at: 0, count: 4096)
    try vm.write(Self.memory(msr, resting), at: 0)
    self.msr = msr
    self.resting = resting
    self.vm = vm
    self.cpu = cpu
  }

  mutating func open(with value: UInt64) throws(PolicyError) {
    guard try cpu.open(msr, handingOver: value, resting: resting, of: vm) else {
      throw .refused(policy: "adaptive", reason: "\(msr) does not take \(value.hex)")
    }
  }

  mutating func close() throws(PolicyError) { _ = try cpu.close(msr, resting: resting, of: vm) }

  /// How long the guest takes for so many rounds of a loop, from one OUT to another.
  mutating func duration(of loop: Loop, exits: Int) throws -> Int {
    try cpu.startInRealMode(at: loop.rawValue, stack: 4096 - 2)
    try runToOut()
    let start = ckvm_ordered_rdtsc()
    for _ in 0..<exits { try runToOut() }
    let end = ckvm_ordered_rdtsc()
    _ = try cpu.completeExit()
    return Int(truncatingIfNeeded: end &- start)
  }

  /// How long a change takes, to the end of the guest's next exit: KVM does a part of it when the guest is entered.
  mutating func duration(of change: (inout CostGuest) throws -> Void) throws -> Int {
    try cpu.startInRealMode(at: Loop.outs.rawValue, stack: 4096 - 2)
    try runToOut()
    let start = ckvm_ordered_rdtsc()
    try change(&self)
    try runToOut()
    let end = ckvm_ordered_rdtsc()
    _ = try cpu.completeExit()
    return Int(truncatingIfNeeded: end &- start)
  }

  /// Waits for another length each time: tries that kept step with a timer would all have its interrupt in the same
  /// place.
  mutating func shiftPhase(_ number: Int) throws { _ = try duration(of: .outs, exits: 2 * number + 1) }

  private mutating func runToOut() throws {
    while true {
      let exit = try cpu.run()
      switch exit {
      case .portOut(let access) where access.port == UInt16(Self.tickPort): return
      case .writeMSR: cpu.answer(.accept)
      case .interrupted: continue
      default:
        throw PolicyError.refused(
          policy: "adaptive", reason: "the guest that measures what a switch of \(msr) costs ended with \(exit)")
      }
    }
  }

  private static func memory(_ msr: MSR, _ resting: UInt64) -> [UInt8] {
    func bytes(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32($0 * 8)) } }
    var page = [UInt8](repeating: 0, count: 4096)
    func place(_ bytes: [UInt8], at offset: UInt16) {
      page.replaceSubrange(Int(offset)..<Int(offset) + bytes.count, with: bytes)
    }
    func jump(back count: Int) -> [UInt8] { [0xeb, UInt8(truncatingIfNeeded: -count - 2)] }  // jmp rel8

    place([UInt8(truncatingIfNeeded: handler), UInt8(handler >> 8), 0, 0], at: 13 * 4)
    place([0xe6, faultPort] + jump(back: 2), at: handler)  // out faultPort, al
    place([0xe6, tickPort] + jump(back: 2), at: Loop.outs.rawValue)  // out tickPort, al
    var round: [UInt8] = []
    for write in 1...writes {
      // The resting value comes last.
      let value = UInt32(truncatingIfNeeded: resting) ^ UInt32((writes - write) & 1)
      round += [0x66, 0xb8] + bytes(value)  // mov eax, low half
      round += [0x0f, 0x30]  // wrmsr
    }
    round += [0xe6, tickPort]  // out tickPort, al
    var code: [UInt8] = [0x66, 0xb9] + bytes(msr.rawValue)  // mov ecx, msr
    code += [0x66, 0xba] + bytes(UInt32(truncatingIfNeeded: resting >> 32))  // mov edx, high half
    place(code + round + jump(back: round.count), at: Loop.writes.rawValue)
    return page
  }
}
