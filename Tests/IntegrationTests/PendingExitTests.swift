// Between an exit and its end: the instruction has not retired, and what the VMM reads there is from before it.
// Facts: KVM API document, section 5: an exit for a port, MMIO or an MSR is completed by the next KVM_RUN.

import CKVM
import GuestImages
import Testing

@testable import Hypervisor

@Suite("A pending exit", .needsKVM)
struct PendingExitTests {
  private static let msr = TestHost.missingMSR

  /// A guest that does one thing, then HLT.
  private func guest(_ body: (inout Assembler) -> Void) throws -> (guest: Program, here: UInt64, next: UInt64) {
    let program = try RealMode.program { asm in
      asm.mov(.ecx, Self.msr.rawValue)
      asm.mov(.eax, 0x1111_1111)
      asm.mov(.edx, 0x2222_2222)
      asm.bind("here")
      body(&asm)
      asm.bind("next")
      asm.hlt()
    }
    return (program, try #require(program.labels["here"]), try #require(program.labels["next"]))
  }

  @Test("for WRMSR retires the instruction when it is completed, not before", .needs(.msrFilter))
  func write() throws {
    let (program, here, next) = try guest { $0.wrmsr() }
    var raw = try RawGuest(program, intercepting: [Self.msr])
    let exit = try raw.run()
    #expect(exit == .writeMSR(MSRAccess(msr: Self.msr, reason: .filter, value: 0x2222_2222_1111_1111)))
    let before = try raw.cpu.registers()
    #expect(before.rip == here)
    raw.cpu.answer(.accept)
    let more = try raw.cpu.completeExit()
    #expect(more == nil)
    let after = try raw.cpu.registers()
    #expect(after.rip == next)
    let last = try raw.run()
    #expect(last == .halt)
  }

  @Test("for RDMSR gives the guest its value when it is completed, not before", .needs(.msrFilter))
  func read() throws {
    let (program, here, next) = try guest { $0.rdmsr() }
    var raw = try RawGuest(program, intercepting: [Self.msr])
    let exit = try raw.run()
    #expect(exit == .readMSR(MSRAccess(msr: Self.msr, reason: .filter, value: 0)))
    let before = try raw.cpu.registers()
    #expect(before.rip == here && before.rax == 0x1111_1111 && before.rdx == 0x2222_2222)
    raw.cpu.answer(.value(0xaaaa_bbbb_cccc_dddd))
    let more = try raw.cpu.completeExit()
    #expect(more == nil)
    let after = try raw.cpu.registers()
    #expect(after.rip == next && after.rax == 0xcccc_dddd && after.rdx == 0xaaaa_bbbb)
  }

  @Test("for IN gives the guest its value when it is completed, not before")
  func portIn() throws {
    let (program, here, next) = try guest { $0.in(.eax, 0x60) }
    var raw = try RawGuest(program)
    guard case .portIn(let access) = try raw.run() else {
      Issue.record("no IN")
      return
    }
    let before = try raw.cpu.registers()
    #expect(before.rip == here && before.rax == 0x1111_1111)
    raw.cpu.answer(access, with: [1, 2, 3, 4])
    let more = try raw.cpu.completeExit()
    #expect(more == nil)
    let after = try raw.cpu.registers()
    #expect(after.rip == next && after.rax == 0x0403_0201)
  }

  @Test("of a REP instruction leaves it between two elements, with those that are left in RCX")
  func repIns() throws {
    let count = 6000
    let (program, _, _) = try guest { asm in
      asm.mov(.di, RealMode.data)
      asm.mov(.cx, count)
      asm.mov(.dx, 0x60)
      asm.cld()
      asm.rep(.insb)
    }
    var raw = try RawGuest(program)
    var sent = 0
    while case .portIn(let access) = try raw.run(), sent < count {
      raw.cpu.answer(access, with: (sent..<sent + access.byteCount).map { UInt8($0 % 251) })
      sent += access.byteCount
      let more = try raw.cpu.completeExit()
      let registers = try raw.cpu.registers()
      #expect(more == nil && registers.rcx & 0xffff == UInt64(count - sent))
    }
    #expect(sent == count)
    let received = try raw.vm.read(count, at: GuestPhysicalAddress(RealMode.data))
    #expect(received == (0..<count).map { UInt8($0 % 251) })
  }

  @Test("of a load across two pages gives way to its second half")
  func twoPages() throws {
    let (program, here, next) = try guest { asm in
      asm.mov(.bx, RealMode.hole >> 4)
      asm.mov(.es, .bx)
      asm.bind("load")
      asm.mov(.eax, .absolute(0xffe).through(.es))
    }
    var raw = try RawGuest(program)
    let first = try raw.run()
    #expect(first == .mmioRead(MMIOAccess(address: GuestPhysicalAddress(RealMode.hole + 0xffe), length: 2, value: 0)))
    raw.cpu.answerMMIO(with: 0x2211)
    let second = try raw.cpu.completeExit()
    #expect(second == .mmioRead(MMIOAccess(address: GuestPhysicalAddress(RealMode.hole + 0x1000), length: 2, value: 0)))
    let between = try raw.cpu.registers()
    #expect(between.rip == program.labels["load"] && between.rip > here)
    raw.cpu.answerMMIO(with: 0x4433)
    let more = try raw.cpu.completeExit()
    #expect(more == nil)
    let after = try raw.cpu.registers()
    #expect(after.rip == next && after.rax == 0x4433_2211)
  }

  @Test("that nobody answers faults in the guest when it is an MSR's", .needs(.msrFilter))
  func unanswered() throws {
    for step in [MSRStep.read(Self.msr), .write(Self.msr, 5)] {
      let guest = MSRGuest([step])
      var raw = try RawGuest(guest.program(), intercepting: [Self.msr])
      let exit = try raw.run()
      #expect(exit != .halt)
      // No answer: the next run goes on from there.
      let last = try raw.run()
      #expect(last == .halt)
      let outcomes = try guest.outcomes(in: raw.vm)
      #expect(outcomes == [.fault])
    }
  }
}
