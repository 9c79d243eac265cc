// How a run ends that nobody ended: HLT, what no device answers, a triple fault, an instruction that KVM cannot
// emulate.

import CKVM
import GuestImages
import Hypervisor
import Testing

@testable import Experiments

@Suite("A run", .needsKVM)
struct EndingTests {
  /// The error of a guest that must fail.
  private func failure<H: ExitHandler>(of machine: inout Machine<NoPolicy>, _ handler: H) -> RunError? {
    var handler = handler
    do throws(RunError) {
      let end = try machine.run(&handler)
      Issue.record("the run did not fail: \(end)")
      return nil
    } catch { return error }
  }

  /// The error of a real-mode guest that must fail.
  private func failure<H: ExitHandler>(of program: Program, _ handler: H = NoDevices()) throws -> RunError? {
    var machine = try Machine(on: try KVM())
    try machine.load(program)
    return failure(of: &machine, handler)
  }

  @Test("ends with HLT, which the counters count once")
  func halt() throws {
    var machine = try Machine(on: try KVM())
    try machine.load(RealMode.program { $0.hlt() })
    var devices = NoDevices()
    let end = try machine.run(&devices)
    #expect(end == .finished)
    #expect(machine.counters.byKind == [.halt: 1])
    #expect(machine.counters.total == 1)
  }

  @Test("goes on behind an HLT when it is asked to")
  func haltAndGoOn() throws {
    var machine = try Machine(on: try KVM())
    try machine.load(
      RealMode.program { asm in
        asm.hlt()
        asm.out(0x42, .al)
        asm.hlt()
      })
    var devices = Devices()
    for outputs in [0, 1] {
      let end = try machine.run(&devices)
      #expect(end == .finished)
      #expect(devices.outputs.count == outputs)
    }
    #expect(machine.counters.byKind == [.halt: 2, .portOut: 1])
  }

  /// Instructions that nobody answers, with the words for them, and whether KVM leaves RIP on them: it may have stepped
  /// over a store already.
  private static let deeds: [(String, Bool, @Sendable (inout Assembler) -> Void)] = [
    ("IN of 1 byte from port 0x60", true, { $0.in(.al, 0x60) }),
    ("IN of 2 bytes from port 0x60", true, { $0.in(.ax, 0x60) }),
    ("OUT of 4 bytes to port 0x60", false, { $0.out(0x60, .eax) }),
    ("a load of 2 bytes from guest-physical address 0xa0004", true, { $0.mov(.ax, .absolute(4).through(.es)) }),
    (
      "a store of 0xa000, 2 bytes, to guest-physical address 0xa0004", false, { $0.mov(.absolute(4).through(.es), .ax) }
    ),
    ("HLT", false, { $0.hlt() }),
  ]

  @Test("that nobody answers ends with the reason, RIP and the bytes there", arguments: deeds.indices)
  func unanswered(index: Int) throws {
    let (words, staysThere, emit) = Self.deeds[index]
    let program = try RealMode.program { asm in
      asm.mov(.ax, RealMode.hole >> 4)
      asm.mov(.es, .ax)
      asm.bind("here")
      emit(&asm)
      asm.bind("next")
      asm.bytes([0xeb, 0xfe, 0x90, 0x90], "jmp $")
    }
    let error = try #require(try failure(of: program, Deaf()))
    guard case .unanswered(.common, let state) = error else {
      Issue.record("\(error)")
      return
    }
    let here = try #require(program.labels["here"])
    let next = try #require(program.labels["next"])
    let rip = state.registers.rip
    #expect(rip == here || rip == next && !staysThere)
    let expected = program.bytes.dropFirst(Int(rip - program.origin))
    #expect(expected.count >= 4 && state.instructionBytes.starts(with: expected))
    #expect("\(error)".contains(words), "\(error)")
    #expect("\(error)".contains("at rip \(rip.hex) "))
  }

  @Test("of a guest whose fault handlers fault ends with a triple fault and the registers")
  func tripleFault() throws {
    var machine = try Machine(on: try KVM())
    try machine.loadLong { asm in
      asm.mov(.rbx, 0x1234_5678)
      asm.ud2()
    }
    // No handler for any vector, so that #UD, then #GP, then #DF cannot be delivered.
    var special = try machine.vcpu.specialRegisters()
    special.idt.limit = 0
    try machine.vcpu.setSpecialRegisters(special)
    let error = try #require(failure(of: &machine, NoDevices()))
    guard case .tripleFault(let state) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(machine.counters.byKind == [.other(.shutdown): 1])
    // AMD leaves the guest's state undefined after a shutdown.
    if TestHost.vendor != .kvmAMD { #expect(state.registers.rbx == 0x1234_5678) }
    #expect("\(error)".hasPrefix("the guest ended with a triple fault at rip 0x"))
  }

  @Test("of a guest that jumps to where there is no memory ends with an emulation failure")
  func emulationFailure() throws {
    let program = try RealMode.program { asm in
      asm.mov(.ax, RealMode.hole >> 4)
      asm.push(.ax)
      asm.push(0x10)
      asm.retf()
    }
    let error = try #require(try failure(of: program))
    guard case .emulationFailure(_, let state) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(state.specialRegisters.cs.base + state.registers.rip == RealMode.hole + 0x10)
    #expect(state.instructionBytes.isEmpty)
    #expect("\(error)".hasPrefix("KVM cannot emulate the instruction (KVM_EXIT_INTERNAL_ERROR) at rip 0x10 "))
    #expect("\(error)".contains("bytes there: not readable"))
  }

  @Test("of an INT3 in ring 0 ends in the guest's own handler, except where KVM interprets ring 0 and has no INT3")
  func int3() throws {
    var machine = try Machine(on: try KVM())
    let image = try GuestImage(Workload(.bare), entry: .none)
    try machine.load(image, iterations: [1])
    // In the place of the kernel's first instruction, with its fault handlers left alone.
    let origin = try #require(image.programs.first?.program.origin)
    try machine.vm.write([0xcc], at: GuestPhysicalAddress(origin))
    var devices = Devices()
    do throws(RunError) {
      let end = try machine.run(&devices)
      #expect(end == .finished)
      let fault = try? machine.mailbox().fault
      #expect(fault?.vector == 3 && fault?.rip == origin + 1)
    } catch {
      guard case .emulationFailure(_, let state) = error else { throw error }
      #expect(TestHost.vendor == .kvmPVM)
      #expect(state.registers.rip == origin && state.instructionBytes.first == 0xcc)
    }
  }

  @Test("leaves the machine fit for another run after an error")
  func goesOn() throws {
    var machine = try Machine(on: try KVM())
    try machine.load(
      RealMode.program { asm in
        asm.in(.al, 0x60)
        asm.out(0x42, .al)
        asm.hlt()
      })
    #expect(failure(of: &machine, NoDevices()) != nil)
    var devices = Devices()
    let end = try machine.run(&devices)
    #expect(end == .finished)
    #expect(devices.outputs.count == 1)
  }
}
