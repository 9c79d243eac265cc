// Measures the costs for `adaptive` on this host, by a guest of two loops: OUT alone, and WRMSRs before an OUT. Each
// loop runs with the register closed and open in turn. The shortest try of a loop counts, because disturbances only
// make it longer. The median counts for opening and closing, because KVM waits there for readers of the old filter.
// Facts: Intel SDM vol. 2 (WRMSR, OUT); Linux arch/x86/kvm/x86.c (kvm_vm_ioctl_set_msr_filter).

import CKVM
import GuestImages
public import Hypervisor

extension AdaptiveCosts {
  /// How often the register is opened and closed; each may take milliseconds.
  private static let switches = 3
  /// The tries of each loop between two switches, and the exits of a try: few, so that some tries have no interrupt.
  private static let tries = 4
  private static let exits = 8

  /// Measures the costs on a new VM, whose guests must have the register.
  ///
  /// The open register has each value of its lowest bit in turn, and the slower one counts: KVM need not write a value
  /// that equals the host's.
  ///
  /// - Throws: What making a VM throws, and `PolicyError.refused` when its guest fails.
  public static func measure(_ msr: MSR, on kvm: borrowing KVM) throws -> AdaptiveCosts {
    var guest = try CostGuest(on: kvm, msr)
    let (resting, other) = (guest.resting, guest.resting ^ 1)
    var (closed, trapped, passed) = (Int.max, Int.max, Int.max)
    var open = [Int.max, Int.max]
    var switched: [Int] = []
    for _ in 0..<switches {
      for number in 0..<tries {
        try guest.shiftPhase(number)
        closed = min(closed, try guest.duration(of: .costOfOuts, exits: exits))
        trapped = min(trapped, try guest.duration(of: .costOfWrites, exits: exits))
      }
      let opening = try guest.duration { guest throws in try guest.open(with: other) }
      for number in 0..<tries {
        try guest.shiftPhase(number)
        // Before the OUTs: KVM may not open the register before the guest's first write.
        passed = min(passed, try guest.duration(of: .costOfWrites, exits: exits))
        for (index, value) in [resting, other].enumerated() {
          try guest.cpu.write(msr, value)
          open[index] = min(open[index], try guest.duration(of: .costOfOuts, exits: exits))
        }
      }
      switched.append(try guest.duration { guest throws in try guest.close() } + opening)
    }
    return AdaptiveCosts(
      // `open[0]`, because the loop of writes leaves the resting value in the register.
      access: ((trapped - closed) - (passed - open[0])) / (Workload.writesPerCost * exits),
      exit: (max(open[0], open[1]) - closed) / exits,
      // Opening and closing each include an exit.
      price: switched.sorted()[switches / 2] - 2 * closed / exits,
      wholeExit: closed / exits)
  }
}

/// The guest of the two loops.
private struct CostGuest: ~Copyable {
  var vm: VirtualMachine
  var cpu: VirtualCPU
  let msr: MSR
  /// The register's value while it is closed.
  let resting: UInt64
  private let labels: [Label: UInt64]

  init(on kvm: borrowing KVM, _ msr: MSR) throws {
    var vm = try kvm.makeVM()
    try vm.enableMSRExits(.filter)
    try vm.setMSRFilter(.denying([msr]))
    var cpu = try vm.makeVCPU()
    try cpu.setCPUID(try kvm.supportedCPUID())
    try cpu.start(at: .kernel)
    let resting = try cpu.read(msr)
    let image = try GuestImage(.adaptiveCosts(of: msr, resting: resting), entry: .none)
    try vm.load(image, iterations: [1])
    labels = image.labels
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

  /// The duration of a loop's rounds, from one OUT to another.
  mutating func duration(of loop: Label, exits: Int) throws -> Int {
    try start(loop)
    let start = ckvm_ordered_rdtsc()
    for _ in 0..<exits { try runToOut() }
    let end = ckvm_ordered_rdtsc()
    _ = try cpu.completeExit()
    return Int(truncatingIfNeeded: end &- start)
  }

  /// The duration of a change up to the guest's next exit: KVM does a part of it when the guest is entered.
  mutating func duration(of change: (inout CostGuest) throws -> Void) throws -> Int {
    try start(.costOfOuts)
    let start = ckvm_ordered_rdtsc()
    try change(&self)
    try runToOut()
    let end = ckvm_ordered_rdtsc()
    _ = try cpu.completeExit()
    return Int(truncatingIfNeeded: end &- start)
  }

  /// Delays each try differently, so that a periodic timer does not interrupt all tries at the same place.
  mutating func shiftPhase(_ number: Int) throws { _ = try duration(of: .costOfOuts, exits: 2 * number + 1) }

  /// Runs a loop from its beginning to its first OUT.
  private mutating func start(_ loop: Label) throws {
    var registers = try cpu.registers()
    registers.rip = labels[loop] ?? 0
    try cpu.setRegisters(registers)
    try runToOut()
  }

  private mutating func runToOut() throws {
    while true {
      let exit = try cpu.run()
      switch exit {
      case .portOut(let access) where access.port == UInt16(Port.chatter): return
      case .writeMSR: cpu.answer(.accept)
      case .interrupted: continue
      default:
        throw PolicyError.refused(
          policy: "adaptive",
          reason: "the guest that measures what a switch of \(msr) costs ended with \(try end(at: exit))")
      }
    }
  }

  /// How the guest ended: its own exception, or else this exit.
  private func end(at exit: Exit) throws -> String { try vm.mailbox().fault.map { "\($0)" } ?? "\(exit)" }
}
