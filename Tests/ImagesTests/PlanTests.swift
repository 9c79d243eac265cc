// Where everything goes in a guest's memory.

import TestSupport
import Testing

@testable import Images

@Suite("A boot plan")
struct PlanTests {
  private let kernel = Result { try BootableImage(reading: MadeImage.bzImage().bytes) }

  private func number<T: FixedWidthInteger>(_ plan: BootPlan, at address: UInt64, as: T.Type) throws -> T {
    let part = try #require(
      plan.made.first { $0.address <= address && address + 8 <= $0.address + UInt64($0.bytes.count) })
    let start = Int(address - part.address)
    return (0..<MemoryLayout<T>.size).reduce(0) { $0 | T(truncatingIfNeeded: part.bytes[start + $1]) << T($1 * 8) }
  }

  @Test("of a Linux kernel begins in 64-bit mode with a zero page: header, memory map, command line, initrd")
  func zeroPage() throws {
    let plan = try BootPlan(
      kernel.get(), memory: 64 << 20, commandLine: Array("quiet".utf8), initrd: 5000)
    guard case .long(let rip, let rsi, let tables, _, _) = plan.start else { throw ImageError("\(plan.start)") }
    #expect(rip == 0x100_0200 && rsi == 0x7000)
    #expect(try number(plan, at: rsi + 0x202, as: UInt32.self) == 0x5372_6448)
    #expect(try number(plan, at: rsi + 0x210, as: UInt8.self) == 0xff)
    #expect(try number(plan, at: rsi + 0x211, as: UInt8.self) == 0x81)
    #expect(try number(plan, at: rsi + 0x218, as: UInt32.self) == UInt32(64 << 20) - 8192)
    #expect(plan.initrd == 64 << 20 - 8192)
    #expect(try number(plan, at: rsi + 0x21c, as: UInt32.self) == 5000)
    #expect(try number(plan, at: rsi + 0x1e8, as: UInt8.self) == 4)
    #expect(try number(plan, at: rsi + 0x2d0 + 60, as: UInt64.self) == 0x10_0000)
    #expect(try number(plan, at: rsi + 0x2d0 + 68, as: UInt64.self) == 63 << 20)
    let text = try number(plan, at: rsi + 0x228, as: UInt32.self)
    #expect(plan.made.contains { $0.address == UInt64(text) && $0.bytes == Array("quiet\0".utf8) })
    // The last page of the first GiB is mapped to itself.
    #expect(try number(plan, at: tables, as: UInt64.self) == tables + 0x1003)
    #expect(try number(plan, at: tables + 0x2000 + 511 * 8, as: UInt64.self) == 511 << 21 | 0x83)
  }

  @Test("of a multiboot image begins in 32-bit mode with the magic number and the information structure")
  func multiboot() throws {
    let image = try BootableImage(reading: MadeImage.multiboot([0xf4]).bytes)
    let plan = try BootPlan(image, memory: 32 << 20, commandLine: Array("a.flat x".utf8))
    #expect(plan.start == .protected(eip: 0x10_000c, eax: 0x2bad_b002, ebx: 0x9_e000))
    #expect(try number(plan, at: 0x9_e000, as: UInt32.self) == 5)
    #expect(try number(plan, at: 0x9_e008, as: UInt32.self) == 31 << 10)
    #expect(plan.made.contains { $0.address == 0x9_e100 && $0.bytes == Array("a.flat x\0".utf8) })
  }

  @Test("by the PVH protocol begins in 32-bit mode with the start info")
  func pvh() throws {
    let image = try BootableImage(
      reading: MadeImage.elf64([0xf4], base: 0xffff_ffff_8000_0000, pvhEntry: 0x10_0000).bytes)
    let plan = try BootPlan(image, memory: 32 << 20, initrd: 100, by: .pvh)
    #expect(plan.start == .protected(eip: 0x10_0000, eax: 0, ebx: 0x6000))
    #expect(try number(plan, at: 0x6000, as: UInt32.self) == 0x336e_c578)
    #expect(try number(plan, at: 0x600c, as: UInt32.self) == 1)
    #expect(try number(plan, at: 0x6200, as: UInt64.self) == plan.initrd)
    let plain = try BootableImage(reading: MadeImage.elf64([0xf4]).bytes)
    #expect(throws: ImageError.self) { try BootPlan(plain, memory: 32 << 20, by: .pvh) }
    #expect(throws: ImageError.self) { try BootPlan(kernel.get(), memory: 32 << 20, by: .pvh) }
  }

  private func refusal(
    memory: UInt64 = 64 << 20, commandLine: Int = 0, initrd: Int? = nil, of image: BootableImage? = nil
  ) throws -> String {
    let image = try image ?? kernel.get()
    return try #require(throws: ImageError.self) {
      try BootPlan(image, memory: memory, commandLine: [UInt8](repeating: 65, count: commandLine), initrd: initrd)
    }.description
  }

  @Test("is refused where something does not fit, with how much memory would do")
  func refusals() throws {
    #expect(try refusal(memory: 16 << 20).contains("give --memory 18M or more"))
    #expect(try refusal(initrd: 100 << 20).contains("give --memory 118M or more"))
    #expect(try refusal(initrd: .max - 4095).contains("does not fit"))
    #expect(try refusal(initrd: 0).contains("empty"))
    #expect(try refusal(commandLine: 2048).contains("at most 2047"))
    let plain = try BootableImage(reading: MadeImage.elf64([0xf4]).bytes)
    #expect(try refusal(initrd: 5, of: plain).contains("only a Linux kernel"))
    let flat = try BootableImage(flat: [0xf4], at: 0x1000)
    #expect(try refusal(commandLine: 1, of: flat).contains("no command line"))
  }

  @Test("is refused where the image covers the tables that it begins with")
  func covered() throws {
    var made = MadeImage.elf64([0xf4])
    made[88, UInt64.self] = 0x7000
    made[24, UInt64.self] = 0x7000
    #expect(try refusal(of: BootableImage(reading: made.bytes)).contains("link it higher"))
  }

  @Test("takes exactly the memory that it says would do")
  func exactMemory() throws {
    _ = try BootPlan(kernel.get(), memory: 18 << 20)
    _ = try BootPlan(kernel.get(), memory: 118 << 20, initrd: 100 << 20)
  }
}

@Suite("An archive")
struct ArchiveTests {
  @Test("holds its files as the kernel unpacks them, each header and each content at a multiple of 4")
  func newc() throws {
    var archive = Archive()
    archive.add("dev", .folder)
    archive.add("dev/console", .device(major: 5, minor: 1))
    archive.add("init", .program([1, 2, 3, 4, 5]))
    let bytes = archive.bytes
    var (offset, seen) = (0, [String]())
    while offset < bytes.count {
      #expect(offset.isMultiple(of: 4) && Array(bytes[offset..<offset + 6]) == Array("070701".utf8))
      let field = { (index: Int) in
        Int(String(decoding: bytes[offset + 6 + index * 8..<offset + 14 + index * 8], as: UTF8.self), radix: 16) ?? -1
      }
      let (mode, size, nameSize) = (field(1), field(6), field(11))
      let name = String(decoding: bytes[offset + 110..<offset + 110 + nameSize - 1], as: UTF8.self)
      #expect(bytes[offset + 110 + nameSize - 1] == 0)
      let data = (offset + 110 + nameSize + 3) & ~3
      seen.append("\(name) \(String(mode, radix: 8)) \(Array(bytes[data..<data + size])) \(field(9)):\(field(10))")
      offset = (data + size + 3) & ~3
    }
    #expect(
      seen == [
        "dev 40755 [] 0:0", "dev/console 20600 [] 5:1", "init 100755 [1, 2, 3, 4, 5] 0:0", "TRAILER!!! 0 [] 0:0",
      ])
  }
}
