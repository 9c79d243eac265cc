// The filter's program, run by the rules of the kernel's packet filter: which call gets which verdict.

import CHost
import CKVM
import Testing

@testable import Sandbox

@Suite("The filter of system calls")
struct FilterTests {
  /// What the filter sees of a call: `struct seccomp_data`.
  private struct Call {
    var number: UInt32
    var architecture: UInt32 = 0xc000_003e
    var arguments: [UInt64] = []

    func word(at offset: UInt32) throws -> UInt32 {
      switch offset {
      case 0: return number
      case 4: return architecture
      default:
        let (index, rest) = (Int(offset - 16) / 8, (offset - 16) % 8)
        try #require(index < 6 && rest % 4 == 0)
        let argument = index < arguments.count ? arguments[index] : 0
        return UInt32(truncatingIfNeeded: argument >> (8 * UInt64(rest)))
      }
    }
  }

  /// Runs a program as the kernel does; the instructions that it may have are those that it has.
  private func verdict(_ program: [sock_filter], on call: Call) throws -> UInt32 {
    var accumulator: UInt32 = 0
    var index = 0
    while true {
      try #require(index < program.count, "the program has no end")
      let instruction = program[index]
      index += 1
      switch instruction.code {
      case 0x20: accumulator = try call.word(at: instruction.k)
      case 0x54: accumulator &= instruction.k
      case 0x15: index += Int(accumulator == instruction.k ? instruction.jt : instruction.jf)
      case 0x35: index += Int(accumulator >= instruction.k ? instruction.jt : instruction.jf)
      case 0x06: return instruction.k
      default: Issue.record("instruction \(instruction.code)")
      }
    }
  }

  private let rules = SystemCallRule.allowed(in: 4711)
  private var program: [sock_filter] { Filter.program(rules) }

  @Test("lets a process wait for the children that it has named, and for no other")
  func children() throws {
    let program = Filter.program(SystemCallRule.allowed(in: 4711, awaiting: [4712]))
    func wait(_ child: UInt64) throws -> UInt32 { try verdict(program, on: Call(number: 61, arguments: [child])) }
    #expect(try wait(4712) == Filter.Verdict.allow.code)
    // Any child is -1.
    for child in [4711, 4713, 0, UInt64(UInt32.max)] { #expect(try wait(child) == Filter.Verdict.trap.code) }
  }

  @Test("traps every call that no rule names, by every number")
  func others() throws {
    let named = Set(rules.map(\.number))
    #expect(named.count == rules.count, "two rules for one call: the second is never looked at")
    for number in 0..<1024 as Range<UInt32> where !named.contains(number) {
      #expect(try verdict(program, on: Call(number: number)) == Filter.Verdict.trap.code, "\(number)")
    }
  }

  @Test("kills for a call of another architecture or of the x32 ABI, whatever its number")
  func architectures() throws {
    for number in [0, 1, 16, 231] as [UInt32] {
      // AUDIT_ARCH_I386, and none.
      for architecture in [0x4000_0003, 0] as [UInt32] {
        #expect(
          try verdict(program, on: Call(number: number, architecture: architecture)) == Filter.Verdict.kill.code)
      }
      #expect(try verdict(program, on: Call(number: number | 0x4000_0000)) == Filter.Verdict.kill.code)
      #expect(try verdict(program, on: Call(number: 0xffff_fffe)) == Filter.Verdict.kill.code)
    }
  }

  @Test("allows KVM_RUN as the first call, eight instructions on: it is asked at every exit")
  func hotPath() throws {
    let run = Call(number: 16, arguments: [5, UInt64(Request.run.rawValue)])
    #expect(try verdict(Array(program.prefix(12)), on: run) == Filter.Verdict.allow.code)
  }

  @Test(
    "looks at arguments",
    arguments: [
      (16, [0, 0x5412], false), (16, [1, 0x5413], true), (16, [1, 0x5401], true),
      (16, [5, UInt64(Request.createVM.rawValue)], false),
      (16, [5, UInt64(Request.createDevice.rawValue)], false), (16, [5, UInt64(Request.getDirtyLog.rawValue)], true),
      (16, [5, UInt64(Request.setRegisters.rawValue)], false), (16, [5, UInt64(Request.nmi.rawValue)], false),
      (16, [5, UInt64(Request.setNestedState.rawValue)], false), (16, [5, UInt64(Request.getClock.rawValue)], true),
      // The kernel takes a request's lower half, so a higher one is no way around.
      (16, [5, 0x1_0000_5412], false),
      (9, [0, 4096, 3], true), (9, [0, 4096, 7], false), (10, [0, 4096, 4], false), (10, [0, 4096, 1], true),
      (56, [0x3d0f00], true), (56, [0x1200011], false), (234, [4711, 1, 6], true), (234, [1, 1, 9], false),
      (13, [31], false), (13, [34], true),
    ] as [(UInt32, [UInt64], Bool)])
  func arguments(number: UInt32, arguments: [UInt64], isAllowed: Bool) throws {
    let verdict = try verdict(program, on: Call(number: number, arguments: arguments))
    #expect(verdict == (isAllowed ? Filter.Verdict.allow : .trap).code)
  }

  @Test("lets the C library fall back from clone3, whose flags it cannot see, to clone; and opens no file")
  func fallbacks() throws {
    #expect(try verdict(program, on: Call(number: 435)) == Filter.Verdict.fail(38).code)
    #expect(try verdict(program, on: Call(number: 257)) == Filter.Verdict.fail(13).code)
  }

  @Test("is missing only where the kernel says so: another error is one")
  func absence() {
    #expect(Filter.isAbsence(-38, of: 0) && Filter.isAbsence(-22, of: -22))
    for (result, mode) in [(-22, 0), (-22, 2), (-1, 0), (-13, -22), (-12, -22), (7, -22), (0, 0)] {
      #expect(!Filter.isAbsence(result, of: mode), "\(result), \(mode)")
    }
  }

  @Test("is no longer than the kernel takes, and every jump stays in it")
  func size() {
    #expect(program.count <= 4096)
    for (index, instruction) in program.enumerated() where [0x15, 0x35].contains(instruction.code) {
      #expect(index + 1 + Int(max(instruction.jt, instruction.jf)) < program.count)
    }
  }
}

@Suite("Landlock")
struct LandlockTests {
  @Test(
    "is asked for what each version can deny, and nothing that it does not know",
    arguments: [
      (1, [0x1fff], 0), (2, [0x3fff], 0), (3, [0x7fff], 0), (4, [0x7fff, 3], 0), (5, [0xffff, 3], 0),
      (6, [0xffff, 3, 3], 0), (7, [0xffff, 3, 3], 0), (8, [0xffff, 3, 3], 8),
    ] as [(Int, [UInt64], UInt32)])
  func versions(number: Int, attributes: [UInt64], flags: UInt32) {
    let version = Landlock.Version(number)
    #expect(version.attributes == attributes && version.flags == flags)
  }

  @Test("is missing only where it is not compiled in (ENOSYS), or turned off at boot (EOPNOTSUPP)")
  func absence() {
    #expect(Landlock.isAbsence(-38) && Landlock.isAbsence(-95))
    for answer in [-1, -13, -22, -12, 0, 1] { #expect(!Landlock.isAbsence(answer), "\(answer)") }
  }
}
