// A state taken between an exit and its end: the instruction is finished first, and the guest goes on behind it.
// Facts: KVM API document, section 5.

import Experiments
import CKVM
import GuestImages
import TestSupport
import Testing

@testable import Hypervisor

@Suite("The state of a guest with a pending exit", .needsKVM, .bounded)
struct StatePendingExitTests {
  private static let msr = TestHost.missingMSR

  /// A guest that went on elsewhere.
  private struct Moved: ~Copyable {
    /// Its registers before it went on.
    let before: kvm_regs
    /// The address behind its instruction.
    let next: UInt64
    let machine: Machine<Passthrough>
  }

  /// Runs a guest to its exit, answers that, takes the state, and gives it to another machine, which runs it to its
  /// HLT.
  private func moved(
    _ instruction: (inout Assembler) -> Void, answer: (inout Machine<Passthrough>, Exit) -> Void
  ) throws -> Moved {
    let program = try RealMode.program { asm in
      asm.mov(.ecx, Self.msr.rawValue)
      asm.mov(.eax, 0x1111_1111)
      asm.mov(.edx, 0x2222_2222)
      asm.mov(.bx, RealMode.hole >> 4)
      asm.mov(.es, .bx)
      instruction(&asm)
      asm.bind("next")
      asm.mov(.absolute(RealMode.data), .eax)
      asm.mov(.absolute(RealMode.data + 4), .edx)
      asm.hlt()
    }
    let next = try #require(program.labels["next"])
    var first = try Machine(on: try KVM(), policy: Passthrough(subject: .kernelGSBase))
    try first.vm.enableMSRExits(.filter)
    try first.vm.setMSRFilter(.denying([Self.msr]))
    try first.load(program)
    let exit = try first.vcpu.run()
    answer(&first, exit)
    let state = try first.state(on: try KVM())
    #expect(state.cpu.rip == next, "the instruction is finished in the state")
    var other = try machine(from: state, try first.vm.pages(), under: Passthrough(subject: .kernelGSBase))
    let before = try other.vcpu.registers()
    var devices = NoDevices()
    let end = try other.run(&devices)
    #expect(end == .finished)
    #expect(other.counters.halts == 1, "it halts, and does nothing twice")
    return Moved(before: before, next: next, machine: other)
  }

  @Test("at an OUT stands behind it")
  func portOut() throws {
    let moved = try moved({ $0.out(0x80, .al) }) { _, exit in
      guard case .portOut(let access) = exit, access.port == 0x80 else {
        Issue.record("\(exit)")
        return
      }
    }
    #expect(moved.before.rip == moved.next && moved.before.rax == 0x1111_1111)
  }

  @Test("at an IN has what came in")
  func portIn() throws {
    let moved = try moved({ $0.in(.eax, 0x60) }) { machine, exit in
      guard case .portIn(let access) = exit else {
        Issue.record("\(exit)")
        return
      }
      machine.vcpu.answer(access, with: [1, 2, 3, 4])
    }
    #expect(moved.before.rip == moved.next && moved.before.rax == 0x0403_0201)
    let stored = try moved.machine.vm.word(at: RealMode.data, as: UInt32.self)
    #expect(stored == 0x0403_0201)
  }

  @Test("at an INS has what came in in its memory")
  func stringIn() throws {
    let moved = try moved({ asm in
      asm.mov(.dx, 0x60)
      asm.xor(.di, .di)
      asm.mov(.bx, RealMode.data >> 4)
      asm.mov(.es, .bx)
      asm.mov(.di, 0x40)
      asm.string(.insb)
    }) { machine, exit in
      guard case .portIn(let access) = exit else {
        Issue.record("\(exit)")
        return
      }
      machine.vcpu.answer(access, with: [0x5a])
    }
    let stored = try moved.machine.vm.word(at: RealMode.data + 0x40, as: UInt8.self)
    #expect(stored == 0x5a)
  }

  @Test("at a load without memory has what was loaded")
  func load() throws {
    let moved = try moved({ $0.mov(.eax, .absolute(0).through(.es)) }) { machine, exit in
      guard case .mmioRead = exit else {
        Issue.record("\(exit)")
        return
      }
      machine.vcpu.answerMMIO(with: 0x8765_4321)
    }
    #expect(moved.before.rip == moved.next && moved.before.rax == 0x8765_4321)
  }

  @Test("at a store without memory stands behind it")
  func store() throws {
    let moved = try moved({ $0.mov(.absolute(0).through(.es), .eax) }) { _, exit in
      guard case .mmioWrite(let access) = exit, access.value == 0x1111_1111 else {
        Issue.record("\(exit)")
        return
      }
    }
    #expect(moved.before.rip == moved.next)
  }

  @Test("at a RDMSR has what was read", .needs(.msrFilter))
  func read() throws {
    let moved = try moved({ $0.rdmsr() }) { machine, exit in
      guard case .readMSR(let access) = exit, access.msr == Self.msr else {
        Issue.record("\(exit)")
        return
      }
      machine.vcpu.answer(.value(0xaaaa_bbbb_cccc_dddd))
    }
    #expect(moved.before.rip == moved.next && moved.before.rax == 0xcccc_dddd && moved.before.rdx == 0xaaaa_bbbb)
    let stored = try moved.machine.vm.word(at: RealMode.data, as: UInt64.self)
    #expect(stored == 0xaaaa_bbbb_cccc_dddd)
  }

  @Test("at a WRMSR stands behind it", .needs(.msrFilter))
  func write() throws {
    let moved = try moved({ $0.wrmsr() }) { machine, exit in
      guard case .writeMSR(let access) = exit, access.value == 0x2222_2222_1111_1111 else {
        Issue.record("\(exit)")
        return
      }
      machine.vcpu.answer(.accept)
    }
    #expect(moved.before.rip == moved.next)
  }

  @Test("whose end is another exit is not taken: nobody could answer that elsewhere")
  func twoExits() throws {
    var first = try Machine(on: try KVM(), policy: Passthrough(subject: .kernelGSBase))
    let program = try RealMode.program { asm in
      asm.mov(.bx, RealMode.hole >> 4)
      asm.mov(.es, .bx)
      asm.mov(.eax, .absolute(0xffe).through(.es), "two bytes in each of two pages")
      asm.hlt()
    }
    try first.load(program)
    _ = try first.vcpu.run()
    let second = Exit.mmioRead(MMIOAccess(address: GuestPhysicalAddress(RealMode.hole + 0x1000), length: 2, value: 0))
    let kvm = try KVM()
    do {
      _ = try first.state(on: kvm)
      Issue.record("it was taken")
    } catch { #expect(error == .pending(second)) }
  }
}
