// Images that are assembled here, booted on this machine's KVM.

import Experiments
import Glibc
import GuestImages
import Hypervisor
import Images
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Boot

/// Keeps what comes out of a guest.
final class KeptLine: SerialLine {
  private let bytes = Mutex<[UInt8]>([])
  private let input: Mutex<[UInt8]>

  init(typing text: String = "") { input = Mutex(Array(text.utf8)) }

  var isPrompt: Bool { false }
  func put(_ more: [UInt8]) { bytes.withLock { $0 += more } }
  func take() -> UInt8? { input.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
  var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
}

@Suite("A guest made here", .needsKVM, .bounded)
struct MadeGuestTests {
  private let line = KeptLine()

  private func boot(
    _ image: MadeImage, typing text: String = "", change: (inout BootOrder) -> Void = { _ in }
  ) throws -> (record: BootRecord, text: String) {
    let kvm = try KVM()
    var order = BootOrder(name: "made", policy: .emulate, memory: 32 << 20, commandLine: "a b")
    change(&order)
    let line = KeptLine(typing: text)
    let guest = try order.prepare(
      GuestFile(image.bytes), initrd: nil, line: line, on: kvm,
      terms: .prove(.specCtrl, on: kvm))
    return (try guest.run(control: RunControl(timeLimit: .seconds(10))), line.text)
  }

  private func status(_ record: BootRecord) throws -> UInt32 {
    guard case .status(let value) = record.end else {
      Issue.record("it ended otherwise: \(record.end)")
      return .max
    }
    return value
  }

  @Test("prints to its serial port and ends by the status port; every OUT is counted")
  func hello() throws {
    let image = try MadeImage.multiboot { asm in
      asm.out("hello\n".utf8, to: 0x3f8)
      asm.mov(.edx, 0xf4)
      asm.mov(.eax, 0x1234)
      asm.out(.dx, .eax)
    }
    let (record, text) = try boot(image)
    #expect(text == "hello\n")
    #expect(try status(record) == 0x1234)
    #expect(record.counters.byKind == [.portOut: 7] && record.lastLines == ["hello"])
    #expect(record.format == .multiboot && !record.isLinux && record.commandLine == "made a b")
    #expect(record.kvmExits.map { $0 >= 7 } ?? true)
    let report = BootReport(record)
    #expect(report.end.verdict == "fail" && report.end.status == 0x1234 && report.exits.byReason == ["portOut": 7])
  }

  @Test("writes a string at once, by REP OUTS, also over a page's end")
  func string() throws {
    let count = 5000
    let image = try MadeImage.multiboot { asm in
      asm.mov(.esi, "text")
      asm.mov(.ecx, count)
      asm.mov(.edx, 0x3f8)
      asm.cld()
      asm.rep(.outsb)
      asm.out([0], to: 0xf4)
      asm.bind("text")
      asm.bytes((0..<count).map { UInt8(ascii: "a") + UInt8($0 % 26) })
    }
    let (record, text) = try boot(image)
    #expect(try status(record) == 0)
    #expect(Array(text.utf8) == (0..<count).map { UInt8(ascii: "a") + UInt8($0 % 26) })
  }

  /// What a guest reads from a port, told by its status.
  private func read(_ port: UInt16, _ width: Accumulator, after setup: (inout Assembler) -> Void = { _ in }) throws
    -> UInt32
  {
    let image = try MadeImage.multiboot { asm in
      setup(&asm)
      asm.xor(.eax, .eax)
      asm.mov(.edx, port)
      asm.in(width, .dx)
      asm.mov(.edx, 0xf4)
      asm.out(.dx, .eax)
    }
    return try status(boot(image).record)
  }

  @Test("reads its devices, and ones where there is none")
  func devices() throws {
    #expect(try read(0x3fd, .al) == 0x60)
    #expect(try read(0x71, .al) { $0.out([0xa], to: 0x70) } == 0x26)
    let ports: [(UInt16, Accumulator, UInt32)] = [(0xcfc, .eax, .max), (0x64, .al, 0xff), (0x1234, .ax, 0xffff)]
    for (port, width, value) in ports { #expect(try read(port, width) == value, "\(port)") }
    // The request of an edge stays after it: the guest reads it of the first 8259.
    #expect(try read(0x20, .al) & 0x20 == 0)
    #expect(try read(0x20, .al) { $0.out([1, 0], to: 0x2005) } & 0x20 == 0x20)
    let processors = try read(0x511, .al) { asm in
      asm.mov(.edx, 0x510)
      asm.mov(.eax, 5)
      asm.out(.dx, .ax)
    }
    #expect(processors == 1)
  }

  @Test("reads a string at once, by REP INS: the size of its memory")
  func inputString() throws {
    let image = try MadeImage.multiboot { asm in
      asm.mov(.edx, 0x510)
      asm.mov(.eax, 3)
      asm.out(.dx, .ax)
      asm.mov(.edi, 0x8000)
      asm.mov(.ecx, 4)
      asm.mov(.edx, 0x511)
      asm.cld()
      asm.rep(.insb)
      asm.mov(.eax, .absolute(0x8000))
      asm.mov(.edx, 0xf4)
      asm.out(.dx, .eax)
    }
    #expect(try status(boot(image).record) == 32 << 20)
  }

  @Test("reads what is typed")
  func keyboard() throws {
    let image = try MadeImage.multiboot { asm in
      asm.mov(.ecx, 3)
      asm.bind("next")
      asm.mov(.edx, 0x3f8)
      asm.in(.al, .dx)
      asm.out(.dx, .al)
      asm.dec(.ecx)
      asm.jcc(.notZero, "next")
      asm.out([0], to: 0xf4)
    }
    #expect(try boot(image, typing: "abc").text == "abc")
  }

  @Test("finds its magic number, memory size and command line")
  func information() throws {
    let image = try MadeImage.multiboot { asm in
      asm.cmp(.eax, 0x2bad_b002 as UInt32)
      asm.jcc(.notEqual, "bad")
      asm.cmp(.dword, .at(.ebx, 8), 31 << 10)
      asm.jcc(.notEqual, "bad")
      asm.mov(.esi, .at(.ebx, 16))
      asm.printText()
      asm.out([0], to: 0xf4)
      asm.bind("bad")
      asm.out([1], to: 0xf4)
    }
    let (record, text) = try boot(image)
    #expect(try status(record) == 0)
    #expect(text == "made a b\0")
  }

  @Test("sees a PC of one processor under a hypervisor: APIC ID 0, one logical processor")
  func processor() throws {
    let image = try MadeImage.multiboot { asm in
      asm.mov(.eax, 1)
      asm.xor(.ecx, .ecx)
      asm.cpuid()
      asm.bt(.ecx, 31)
      asm.jcc(.notCarry, "bad")
      asm.mov(.eax, .ebx)
      asm.and(.eax, 0xffff_0000 as UInt32)
      asm.mov(.edx, 0xf4)
      asm.out(.dx, .eax)
      asm.bind("bad")
      asm.out([1], to: 0xf4)
    }
    #expect(try status(boot(image).record) == 0x1_0000)
  }

  @Test("as a static program in 64-bit ELF begins in 64-bit mode with the zero page")
  func elf64() throws {
    var asm = Assembler(origin: MadeImage.address, mode: .bits64)
    asm.mov(.eax, .at(.rsi, 0x202))
    asm.mov(.edx, 0xf4)
    asm.out(.dx, .eax)
    let record = try boot(.elf64(try asm.assemble().bytes)).record
    #expect(try status(record) == 0x5372_6448)
    #expect(record.format == .elf64 && BootReport(record).end.verdict == nil)
  }

  @Test("by the entry of its PVH note begins in 32-bit mode with the start info and its command line")
  func pvh() throws {
    var asm = Assembler(origin: MadeImage.address, mode: .bits32)
    asm.mov(.esi, .at(.ebx, 24))
    asm.printText()
    asm.mov(.eax, .at(.ebx))
    asm.mov(.edx, 0xf4)
    asm.out(.dx, .eax)
    let image = MadeImage.elf64(try asm.assemble().bytes, pvhEntry: UInt32(MadeImage.address))
    let (record, text) = try boot(image) { $0.entry = .pvh }
    #expect(try status(record) == 0x336e_c578 && text == "a b\0" && record.format == .elf64)
  }

  @Test("without a header begins in real mode where it was put")
  func flat() throws {
    var asm = Assembler(origin: 0x1_2340, mode: .bits16)
    asm.mov(.al, 7)
    asm.out(0xf4, .al)
    let bytes = try asm.assemble().bytes
    var image = MadeImage.elf64([])
    image.bytes = bytes
    let record = try boot(image) {
      $0.flatAddress = 0x1_2340
      $0.commandLine = ""
    }.record
    #expect(try status(record) == 7 && record.format == .flat)
  }

  @Test("that faults ends with a triple fault, and its place is told")
  func tripleFault() throws {
    let image = try MadeImage.multiboot { asm in
      asm.out("last words\n".utf8, to: 0x3f8)
      asm.ud2()
    }
    let record = try boot(image).record
    guard case .tripleFault(let state) = record.end else { throw ImageError("\(record.end)") }
    #expect(state.instructionBytes.starts(with: [0x0f, 0x0b]) && record.lastLines == ["last words"])
  }

  @Test("that resets its machine has ended")
  func reset() throws {
    let record = try boot(try MadeImage.multiboot { $0.out([0xfe], to: 0x64) }).record
    guard case .reset = record.end else { throw ImageError("\(record.end)") }
  }

  @Test("that waits for ever with its interrupts off is stopped by its time limit, with and without a timer")
  func sleeper() throws {
    for hasTimer in [true, false] {
      let kvm = try KVM()
      var order = BootOrder(name: "made", policy: .emulate, memory: 32 << 20)
      order.hasTimer = hasTimer
      let image = try MadeImage.multiboot { asm in
        asm.bind("again")
        asm.hlt()
        asm.jmp("again")
      }
      let guest = try order.prepare(
        GuestFile(image.bytes), initrd: nil, line: line, on: kvm,
        terms: .prove(.specCtrl, on: kvm))
      let record = try guest.run(control: RunControl(timeLimit: .milliseconds(200)))
      guard case .stopped(.timeLimit) = record.end else { throw ImageError("\(record.end)") }
      #expect(record.counters.byKind[.halt] == nil, "with interrupt controllers KVM waits by itself")
    }
  }

  @Test("writes the policy's register: each write is counted, and no other MSR is")
  func writes() throws {
    let image = try MadeImage.multiboot { asm in
      asm.mov(.ecx, 0x48)
      asm.mov(.eax, 1)
      asm.xor(.edx, .edx)
      for _ in 0..<3 { asm.wrmsr() }
      asm.out([0], to: 0xf4)
    }
    let record = try boot(image).record
    #expect(try status(record) == 0)
    #expect(record.counters.byMSR[.specCtrl]?.writes == 3 && record.unserved.isEmpty)
  }

  @Test("that reads an MSR which KVM does not serve faults, and the MSR is named")
  func unserved() throws {
    let image = try MadeImage.multiboot { asm in
      asm.mov(.ecx, 0x4711)
      asm.rdmsr()
    }
    let record = try boot(image).record
    guard case .tripleFault = record.end else { throw ImageError("\(record.end)") }
    #expect(record.unserved[MSR(rawValue: 0x4711)]?.reads == 1)
    #expect(BootReport(record).unservedMSRs.values.map(\.reads) == [1])
  }

  @Test("comes from a file without a detour, and a file that has become shorter is refused")
  func fromFile() throws {
    // Longer than what is read of it to find out what it is.
    let image = try MadeImage.multiboot { asm in
      asm.out([0], to: 0xf4)
      asm.bytes([UInt8](repeating: 0x90, count: 20_000))
    }
    let path = FilePath("/tmp/spectrap-boot-test-\(UInt64.random(in: 0...UInt64.max))")
    let file = try FileDescriptor.open(
      path, .readWrite, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
    defer {
      try? file.close()
      // Safe: the path ends with a zero.
      unsafe path.withPlatformString { unsafe _ = unlink($0) }
    }
    try file.writeAll(image.bytes)
    let kvm = try KVM()
    let terms = try Terms.prove(.specCtrl, on: kvm)
    let order = BootOrder(name: "made", policy: .emulate, memory: 32 << 20)
    let guest = try order.prepare(
      GuestFile(file, count: image.bytes.count), initrd: nil, line: line, on: kvm, terms: terms)
    #expect(try status(guest.run(control: RunControl(timeLimit: .seconds(10)))) == 0)
    // What was promised and is not there any more.
    try file.resize(to: Int64(image.bytes.count) - 3)
    #expect(throws: GuestFileError.ended(missing: 3)) {
      try order.prepare(
        GuestFile(file, count: image.bytes.count), initrd: nil, line: line, on: kvm, terms: terms)
    }
  }
}

extension Assembler {
  /// Sends the text at ESI, its zero included, to the serial port.
  fileprivate mutating func printText() {
    mov(.edx, 0x3f8)
    bind("next")
    mov(.al, .at(.esi))
    inc(.esi)
    out(.dx, .al)
    cmp(.al, 0)
    jcc(.notEqual, "next")
  }
}
