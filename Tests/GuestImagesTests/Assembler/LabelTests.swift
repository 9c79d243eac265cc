// Labels: where branches lead, and what is said when they lead nowhere.

import GuestImages
import Testing

@Suite("A label")
struct LabelTests {
  private func assemble(
    at origin: UInt64 = 0x8000, _ mode: CodeMode = .bits64, _ write: (inout Assembler) -> Void
  ) throws -> Program {
    var asm = Assembler(origin: origin, mode: mode)
    write(&asm)
    return try asm.assemble()
  }

  private func problem(
    at origin: UInt64 = 0x8000, _ mode: CodeMode = .bits64, _ write: (inout Assembler) -> Void
  ) -> AssemblyError? {
    do throws(AssemblyError) {
      var asm = Assembler(origin: origin, mode: mode)
      write(&asm)
      _ = try asm.assemble()
      return nil
    } catch { return error }
  }

  @Test("behind a branch is reached with 8 bits as far as they go, then with 32")
  func backward() throws {
    let near = try assemble {
      $0.bind("back")
      $0.bytes(zeroes(126))
      $0.jmp("back")
      $0.jmp("back")
    }
    #expect(near.bytes[126...] == [0xEB, 0x80, 0xE9, 0x7B, 0xFF, 0xFF, 0xFF])
  }

  @Test("ahead of a branch is reached with 32 bits, in 16-bit code with 16, or 8 if asked for")
  func forward() throws {
    func skip(_ asm: inout Assembler) {
      asm.jmp("ahead")
      asm.jmp(.short, "ahead")
      asm.nop()
      asm.bind("ahead")
    }
    #expect(try assemble(.bits64, skip).bytes == [0xE9, 3, 0, 0, 0, 0xEB, 1, 0x90])
    #expect(try assemble(.bits32, skip).bytes == [0xE9, 3, 0, 0, 0, 0xEB, 1, 0x90])
    #expect(try assemble(.bits16, skip).bytes == [0xE9, 3, 0, 0xEB, 1, 0x90])
  }

  @Test("that a short jump cannot reach is an error that names label, instruction and address")
  func shortOutOfRange() throws {
    func jump(over count: Int) -> (inout Assembler) -> Void {
      {
        $0.jmp(.short, "ahead")
        $0.bytes(zeroes(count))
        $0.bind("ahead")
      }
    }
    #expect(try assemble(.bits64, jump(over: 127)).bytes.prefix(2) == [0xEB, 0x7F])
    let error = try #require(problem(.bits64, jump(over: 128)))
    #expect(error.problem == .outOfReach("ahead", at: 0x8082, bits: 8))
    #expect(
      error.description == "0x8000: jmp ahead: label \"ahead\" at 0x8082 is out of reach of a displacement of 8 bits")
  }

  @Test("that is never bound is an error, at the instruction that uses it")
  func undefined() {
    let error = problem {
      $0.nop()
      $0.call("nowhere")
    }
    #expect(error?.problem == .undefinedLabel("nowhere"))
    #expect(error?.address == 0x8001)
    #expect(error?.instruction == "call nowhere")
  }

  @Test("that is bound twice is an error, at the second place")
  func twice() {
    let error = problem {
      $0.bind("here")
      $0.nop()
      $0.bind("here")
    }
    #expect(error?.problem == .labelBoundTwice("here", first: 0x8000))
    #expect(error?.address == 0x8001)
  }

  @Test("in 16-bit code is reached around the end of the 64 KiB that IP counts, and not beyond them")
  func wrapping() throws {
    let around = try assemble(at: 0x1_0000, .bits16) {
      $0.bind("low")
      $0.bytes(zeroes(0xFFF0))
      $0.bind("high")
      $0.jmp("low")
    }
    #expect(around.bytes.suffix(2) == [0xEB, 0x0E], "0xfff2 + 0x0e wraps to 0")
    let beyond = problem(at: 0xFFF0, .bits16) {
      $0.jmp("ahead")
      $0.bytes(zeroes(0x20))
      $0.bind("ahead")
    }
    #expect(beyond?.problem == .outOfReach("ahead", at: 0x1_0013, bits: 16))
  }

  @Test("joins code of several modes, and each branch is encoded in the mode it stands in")
  func modeSwitch() throws {
    let program = try assemble(at: 0x7C00, .bits16) {
      $0.jmp("protected")
      $0.mode = .bits32
      $0.bind("protected")
      $0.mov(.eax, 1)
      $0.jmp("long")
      $0.mode = .bits64
      $0.bind("long")
      $0.mov(.rax, "table")
      $0.jmp("protected")
      $0.bind("table")
    }
    #expect(
      program.bytes == [
        0xE9, 0, 0,  // to protected
        0xB8, 1, 0, 0, 0,
        0xE9, 0, 0, 0, 0,  // to long
        0xB8, 0x14, 0x7C, 0, 0,
        0xEB, 0xEF,  // to protected
      ])
    #expect(program.listing.filter { $0.kind == .directive }.map(\.mnemonic) == [".code32", ".code64"])
  }

  @Test("far above 4 GiB is loaded whole, and refused where only 32 bits fit")
  func highAddresses() throws {
    let high: UInt64 = 0xFFFF_FFFF_8000_0000
    let program = try assemble(at: high) {
      $0.bind("top")
      $0.mov(.rax, "top", "all 64 bits")
      $0.mov(.rax, .absolute("top"), "sign-extended")
      $0.mov(.rax, .rip("top"))
    }
    #expect(program.bytes.prefix(10) == [0x48, 0xB8, 0, 0, 0, 0x80, 0xFF, 0xFF, 0xFF, 0xFF])
    let seen = try disassemble(program.bytes, at: high, .bits64)
    for line in program.listing where line.kind == .instruction {
      #expect(seen[line.address].map { normalise($0, .bits64) } == normalise(line, program.labels))
    }
    let tooHigh = problem(at: high) {
      $0.bind("top")
      $0.mov(.eax, "top")
    }
    #expect(tooHigh?.problem == .addressTooLarge("top", at: high, bits: 32))
  }
}

@Suite("A program that cannot be")
struct RefusalTests {
  private func message(_ mode: CodeMode, _ write: (inout Assembler) -> Void) -> String {
    do throws(AssemblyError) {
      var asm = Assembler(origin: 0x8000, mode: mode)
      write(&asm)
      _ = try asm.assemble()
      return ""
    } catch { return error.description }
  }

  @Test("is refused with the reason, the instruction and its address")
  func reasons() {
    #expect(
      message(.bits32) { $0.mov(.rax, 1) }
        == "0x8000: mov rax, 0x1: register rax exists in 64-bit code only (this is 32-bit code)")
    #expect(
      message(.bits64) { $0.add(.rax, 0x8000_0000) }
        == "0x8000: add rax, 0x80000000: the constant 0x80000000 does not fit 32 bits")
    #expect(message(.bits64) { $0.mov(.al, 256) } == "0x8000: mov al, 256: the constant 256 does not fit 8 bits")
    #expect(message(.bits64) { $0.mov(.cs, .eax) }.contains("cs is loaded by a far jump"))
    #expect(message(.bits64) { $0.movzx(.eax, .ebx) }.contains("narrower than the register"))
  }

  @Test("never traps, whatever the numbers")
  func extremes() {
    #expect(message(.bits64) { $0.bytes(zeroes(.max)) }.contains("larger than"))
    #expect(message(.bits64) { $0.mov(.rax, .at(.rbx, .max)) }.contains("displacement"))
    #expect(message(.bits64) { $0.mov(.rax, .at(.rbx, .min)) }.contains("displacement"))
    #expect(message(.bits64) { $0.mov(.rax, UInt128.max) }.contains("does not fit"))
    #expect(message(.bits64) { $0.mov(.rax, .absolute(UInt128.max)) }.contains("displacement"))
    #expect(message(.bits64) { $0.mov(.rax, Int128.min) }.contains("does not fit"))
  }

  @Test("wraps around the end of the address space without a trap")
  func topOfAddressSpace() throws {
    var asm = Assembler(origin: .max, mode: .bits64)
    asm.jmp("ahead")
    asm.bind("ahead")
    #expect(try asm.assemble().labels["ahead"] == 4)
  }
}

/// So many bytes to jump over.
private func zeroes(_ count: Int) -> Repeated<UInt8> { repeatElement(0, count: count) }
