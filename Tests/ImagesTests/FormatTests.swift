// What is read out of images that are whole.

import TestSupport
import Testing

@testable import Images

@Suite("An image")
struct FormatTests {
  private func read(_ image: MadeImage) throws -> BootableImage { try BootableImage(reading: image.bytes) }

  @Test("in 32-bit ELF with a multiboot header goes to its physical addresses and is entered at its entry")
  func multiboot() throws {
    let image = try read(.multiboot([0xf4, 0xf4]))
    #expect(image.format == .multiboot && !image.isLinux)
    #expect(image.entry == 0x10_000c)
    #expect(image.parts.map(\.file) == [0x1000..<0x100e])
    #expect(image.memoryEnd == 0x10_0000 + 14 + 4096)
  }

  @Test("with a multiboot header may ask for what is there: aligned modules and the size of memory")
  func multibootFlags() throws { #expect(try read(.multiboot([0xf4], flags: 0x3)).format == .multiboot) }

  @Test("in 64-bit ELF is a Linux kernel where it is linked to the kernel's addresses")
  func elf64() throws {
    let own = try read(.elf64([0xf4]))
    #expect(own.format == .elf64 && !own.isLinux && own.pvhEntry == nil && own.entry == 0x10_0000)
    #expect(try read(.elf64([0xf4], base: 0xffff_ffff_8000_0000)).isLinux)
  }

  @Test("in 64-bit ELF has the PVH entry of its note, and of no other project's")
  func pvh() throws { #expect(try read(.elf64([0xf4], pvhEntry: 0x12_3456)).pvhEntry == 0x12_3456) }

  @Test("that is a bzImage goes to its preferred address and is entered 0x200 behind that")
  func bzImage() throws {
    let image = try read(.bzImage())
    #expect(image.format == .bzImage && image.isLinux)
    #expect(image.parts.map(\.file) == [1024..<5120] && image.parts[0].address == 0x100_0000)
    #expect(image.entry == 0x100_0200 && image.memoryEnd == 0x120_0000 && image.commandLineLimit == 2047)
  }

  @Test("that is a bzImage with 0 setup sectors has 4 of them")
  func oldSectors() throws {
    var image = MadeImage.bzImage()
    image.bytes[0x1f1] = 0
    image[0x1f4, UInt32.self] = 160
    #expect(try read(image).parts.map(\.file) == [2560..<5120])
  }

  @Test("without a header goes where it is told, and begins in real mode there")
  func flat() throws {
    let image = try BootableImage(flat: [0xf4], at: 0x1_2345)
    let plan = try BootPlan(image, memory: 0x10_0000)
    #expect(plan.start == .real(segment: 0x1234, offset: 5))
  }

  @Test("that a program of GNU's linker has made is read as this reader reads it: this test's own program is refused")
  func ownProgram() throws {
    // A program for Linux that can be loaded anywhere.
    let error = try #require(throws: ImageError.self) { try BootableImage(reading: ownBytes()) }
    #expect(error.description.contains("ET_DYN"))
  }
}
