// Ending a run from outside: the limit, a cancel, and the signals that are nothing of the kind.

import CKVM
import Dispatch
import GuestImages
import Hypervisor
import TestSupport
import Testing

@testable import Experiments

/// One after the other, because they measure time.
@Suite("Stopping a run", .needsKVM, .serialized)
struct StoppingTests {
  typealias End = Machine<NoPolicy>.End

  /// Guests that never exit again once they spin.
  enum Spinner: CaseIterable, CustomTestStringConvertible {
    case ring0, ring3

    var testDescription: String { self == .ring0 ? "in ring 0, real mode" : "in ring 3, 64-bit mode" }

    /// A machine at the start of the guest: five OUTs in ring 0, then the loop; or the loop at once in ring 3.
    func machine() throws -> Machine<NoPolicy> {
      var machine = try Machine(on: try KVM())
      switch self {
      case .ring0:
        try machine.load(
          RealMode.program { asm in
            asm.sti("Bochs lets nothing interrupt a guest that has interrupts off; hardware does")
            for _ in 0..<outs { asm.out(0x42, .al) }
            asm.bind("spin")
            asm.jmp("spin")
          })
      case .ring3:
        let image = try GuestImage(Workload(.bare), entry: .breakpoint)
        try machine.load(image, iterations: [1])
        let user = try #require(image.programs.last?.program.labels["user"])
        try machine.vm.write([0xeb, 0xfe], at: GuestPhysicalAddress(user))
      }
      return machine
    }

    /// How many OUTs the guest makes before it spins.
    var outs: Int { self == .ring0 ? 5 : 0 }
    var ring: UInt16 { self == .ring0 ? 0 : 3 }
  }

  /// The least of three times that a run went on after the moment when it should have ended.
  ///
  /// The best of three, because a busy host may keep any one of them waiting.
  private func lateness(_ run: () throws -> Duration) rethrows -> Duration {
    var best = Duration.seconds(3600)
    for _ in 0..<3 where best >= Self.allowed { best = min(best, try run()) }
    return best
  }

  private static let allowed = Duration.milliseconds(100)
  private static let clock = ContinuousClock()

  /// What must hold of a spinning guest that was stopped: its exits until then, and where it stands.
  private func check(_ machine: borrowing Machine<NoPolicy>, _ spinner: Spinner) throws {
    let counted = machine.counters.byKind
    #expect(counted == (spinner.outs == 0 ? [:] : [.portOut: UInt64(spinner.outs)]))
    #expect(machine.counters.interruptions >= 1)
    let state = machine.guestState()
    #expect(state.specialRegisters.cs.selector & 3 == spinner.ring)
    #expect(state.instructionBytes.starts(with: [0xeb, 0xfe]))
  }

  @Test("that spins ends when its time is over, with the exits until then counted", arguments: Spinner.allCases)
  func timeLimit(spinner: Spinner) throws {
    let limit = Duration.milliseconds(50)
    let late = try lateness {
      var machine = try spinner.machine()
      var devices = Devices()
      let start = Self.clock.now
      let end = try machine.run(&devices, within: limit)
      let late = Self.clock.now - start - limit
      #expect(end == .stopped(.timeLimit))
      #expect(late >= .zero, "it ended too early")
      #expect(devices.outputs.count == spinner.outs)
      try check(machine, spinner)
      return late
    }
    #expect(late < Self.allowed)
  }

  @Test("that spins ends when another thread cancels it", arguments: Spinner.allCases)
  func cancel(spinner: Spinner) throws {
    let late = try lateness {
      var machine = try spinner.machine()
      var devices = Devices()
      let control = RunControl(timeLimit: .seconds(30))
      let start = Self.clock.now
      let delay = Duration.milliseconds(50)
      let queue = DispatchQueue(label: "canceller")
      queue.asyncAfter(deadline: .now() + .milliseconds(50)) { control.cancel() }
      var nothing = NoObserver()
      let end = try machine.run(&devices, observer: &nothing, control: control)
      let late = Self.clock.now - start - delay
      #expect(end == .stopped(.cancelled))
      try check(machine, spinner)
      return late
    }
    #expect(late < Self.allowed)
  }

  /// A guest in ring 3 that spins behind the byte of an INT3 which it never executes, and so looks for ever as if it
  /// owed its #BP.
  ///
  /// It has come there already.
  private func debtor() throws -> Machine<NoPolicy> {
    var machine = try Spinner.ring3.machine()
    let user = try #require(
      try GuestImage(Workload(.bare), entry: .breakpoint).programs.last?.program.labels["user"])
    // jmp over the int3; int3; jmp to itself
    try machine.vm.write([0xeb, 0x01, 0xcc, 0xeb, 0xfe], at: GuestPhysicalAddress(user))
    var devices = Devices()
    for _ in 0..<100 {
      _ = try machine.run(&devices, within: .milliseconds(10))
      if machine.guestState().registers.rip == user + 3 { return machine }
    }
    throw ExperimentError.mailbox("the guest did not come to its loop")
  }

  @Test("that spins behind an INT3 ends when its time is over, though it was paused before", .bounded)
  func timeLimitOfDebtor() throws {
    var machine = try debtor()
    var devices = Devices()
    let control = RunControl(timeLimit: .milliseconds(20))
    control.pause()
    var nothing = NoObserver()
    let end = try machine.run(&devices, observer: &nothing, control: control)
    #expect(end == .stopped(.timeLimit))
    let again = try machine.run(&devices, observer: &nothing, control: control)
    #expect(again == .stopped(.timeLimit), "the pause of the run before is not this one's")
  }

  @Test("that spins behind an INT3 is paused in the end, also without a limit", .bounded)
  func pauseOfDebtor() throws {
    var machine = try debtor()
    var devices = Devices()
    let control = RunControl()
    control.pause()
    var nothing = NoObserver()
    let end = try machine.run(&devices, observer: &nothing, control: control)
    #expect(end == .stopped(.paused))
    let bytes = machine.guestState().instructionBytes
    #expect(bytes.starts(with: [0xeb, 0xfe]))
  }

  @Test("that was cancelled before it began ends at once, and so does the next", arguments: Spinner.allCases)
  func cancelBefore(spinner: Spinner) throws {
    let control = RunControl()
    control.cancel()
    let late = try lateness {
      var machine = try spinner.machine()
      var devices = Devices()
      var nothing = NoObserver()
      let start = Self.clock.now
      let end = try machine.run(&devices, observer: &nothing, control: control)
      #expect(end == .stopped(.cancelled))
      return Self.clock.now - start
    }
    #expect(late < Self.allowed)
  }

  @Test("goes on where it stood when it is run again")
  func goesOn() throws {
    var machine = try Spinner.ring0.machine()
    var devices = Devices()
    for run in 1...3 {
      let end = try machine.run(&devices, within: .milliseconds(20))
      #expect(end == .stopped(.timeLimit))
      #expect(machine.counters.interruptions >= run)
    }
    #expect(machine.counters[.portOut] == 5, "what was done is not done again")
  }

  /// Devices that take their time over each OUT, in user space, where no signal ends a KVM_RUN.
  private struct SlowDevices: ExitHandler {
    mutating func portOut(_ access: PortAccess, from cpu: borrowing VirtualCPU) -> Disposition {
      let start = StoppingTests.clock.now
      while StoppingTests.clock.now - start < .milliseconds(2) {}
      return .resume
    }
  }

  @Test("whose time is spent in its devices ends when its time is over")
  func slowDevices() throws {
    let limit = Duration.milliseconds(50)
    let late = try lateness {
      var machine = try Machine(on: try KVM())
      try machine.load(
        RealMode.program { asm in
          asm.bind("again")
          asm.out(0x42, .al)
          asm.jmp("again")
        })
      var devices = SlowDevices()
      let start = Self.clock.now
      let end = try machine.run(&devices, within: limit)
      #expect(end == .stopped(.timeLimit))
      return Self.clock.now - start - limit
    }
    #expect(late < Self.allowed)
  }

  @Test("is nothing that a signal of somebody else's does: no exit is lost, none counted twice, no value changed")
  func otherSignals() throws {
    let rounds: UInt32 = 4000
    var machine = try Machine(
      unproved: Answering(onRead: { _ in .value(7) }, onWrite: { _, _ in .accept }), on: try KVM())
    try machine.vm.enableMSRExits(.filter)
    try machine.vm.setMSRFilter(.denying([TestHost.missingMSR]))
    try machine.load(
      RealMode.program { asm in
        asm.mov(.esi, 0)
        asm.mov(.edi, 0)
        asm.mov(.ebp, 0)
        asm.bind("round")
        asm.inc(.esi)
        asm.mov(.eax, .esi)
        asm.mov(.dx, 0x42)
        asm.out(.dx, .eax)
        asm.in(.eax, .dx)
        asm.add(.edi, .eax)
        asm.mov(.ecx, TestHost.missingMSR.rawValue)
        asm.rdmsr()
        asm.add(.ebp, .eax)
        asm.wrmsr()
        asm.mov(.cx, 20)
        asm.bind("wait")
        asm.loop("wait", "so that a signal finds the guest at work")
        asm.cmp(.esi, rounds)
        asm.jcc(.below, "round")
        asm.mov(.absolute(RealMode.data), .edi)
        asm.mov(.absolute(RealMode.data + 4), .ebp)
        asm.hlt()
      })
    var devices = Devices()
    devices.supply = (0..<rounds).flatMap { _ in [3, 0, 0, 0] as [UInt8] }
    let storm = try SignalStorm(every: .milliseconds(1))
    let end = try machine.run(&devices)
    storm.end()
    #expect(end == .finished)
    let counters = machine.counters
    let count = UInt64(rounds)
    #expect(counters.byKind == [.portOut: count, .portIn: count, .readMSR: count, .writeMSR: count, .halt: 1])
    #expect(counters.interruptions > 0, "no signal came while the guest ran")
    #expect(
      devices.outputs.map(\.bytes)
        == (1...rounds).map { round in (0..<4).map { UInt8(truncatingIfNeeded: round >> ($0 * 8)) } })
    let sums = try (0..<2).map { try machine.vm.word(at: RealMode.data + UInt64($0 * 4)) }
    #expect(sums == [3 * rounds, 7 * rounds])
  }
}
