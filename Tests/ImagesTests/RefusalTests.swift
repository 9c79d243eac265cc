// What is refused, with which words; and that nothing ends the program, whatever a file says.

import FoundationEssentials
import Measurement
import TestSupport
import Testing

@testable import Images

/// The bytes of the program that runs the tests.
func ownBytes() throws -> [UInt8] {
  Array(try Data(contentsOf: URL(filePath: "/proc/self/exe"), options: .mappedIfSafe).prefix(1 << 16))
}

@Suite("A file that cannot be booted")
struct RefusalTests {
  private func refusal(_ bytes: [UInt8]) throws -> String {
    try #require(throws: ImageError.self) { try BootableImage(reading: bytes) }.description
  }

  private func refusal(_ image: MadeImage, _ damage: (inout MadeImage) -> Void) throws -> String {
    var image = image
    damage(&image)
    return try refusal(image.bytes)
  }

  @Test("is refused with what it is, or what is possible")
  func strangers() throws {
    #expect(try refusal([]) == "the file is empty")
    #expect(try refusal(Array("#!/bin/sh\n".utf8)).contains("bzImage"))
    #expect(try refusal([0x1f, 0x8b, 8, 0]).contains("gzip"))
    #expect(try refusal([0x28, 0xb5, 0x2f, 0xfd]).contains("zstd"))
    #expect(try refusal(Array("MZ".utf8)).contains("EFI"))
    #expect(try refusal([0x7f, 0x45, 0x4c, 0x46]).contains("truncated"))
  }

  @Test("as a bzImage is refused when it is too old, 32-bit, truncated or damaged")
  func bzImages() throws {
    #expect(try refusal(.bzImage()) { $0[0x206, UInt16.self] = 0x204 }.contains("boot protocol 2.4"))
    #expect(try refusal(.bzImage()) { $0[0x236, UInt16.self] = 0 }.contains("64-bit entry"))
    #expect(try refusal(.bzImage()) { $0.bytes.removeLast(100) }.contains("truncated"))
    #expect(try refusal(.bzImage()) { $0[0x1f4, UInt32.self] = .max }.contains("truncated"))
    #expect(try refusal(.bzImage()) { $0[0x258, UInt64.self] = .max }.contains("0xffffffffffffffff"))
    #expect(try refusal(.bzImage()) { $0[0x258, UInt64.self] = 0 }.contains("damaged"))
    #expect(try refusal(.bzImage()) { $0[0x1fe, UInt16.self] = 0 }.contains("boot flag"))
  }

  @Test("as an ELF file is refused when its headers do not hold together")
  func elfFiles() throws {
    #expect(try refusal(.elf64([0])) { $0[18, UInt16.self] = 183 }.contains("machine 183"))
    #expect(try refusal(.elf64([0])) { $0.bytes[5] = 2 }.contains("little-endian"))
    #expect(try refusal(.elf64([0])) { $0[16, UInt16.self] = 1 }.contains("ET_EXEC"))
    #expect(try refusal(.elf64([0])) { $0[32, UInt64.self] = .max }.contains("is too large"))
    #expect(try refusal(.elf64([0])) { $0[32, UInt64.self] = 1 << 62 }.contains("truncated"))
    #expect(try refusal(.elf64([0])) { $0[54, UInt16.self] = 8 }.contains("damaged"))
    #expect(try refusal(.elf64([0])) { $0[56, UInt16.self] = .max }.contains("65535 program headers"))
    #expect(try refusal(.elf64([0])) { $0[64, UInt32.self] = 7 }.contains("nothing to load"))
    #expect(try refusal(.elf64([0])) { $0[72, UInt64.self] = .max }.contains("not in the file"))
    #expect(try refusal(.elf64([0])) { $0[96, UInt64.self] = 1 << 40 }.contains("not in the file"))
    #expect(try refusal(.elf64([0])) { $0[104, UInt64.self] = 0 }.contains("nothing to load"))
    #expect(try refusal(.elf64([0, 0])) { $0[104, UInt64.self] = 1 }.contains("damaged"))
    #expect(try refusal(.elf64([0])) { $0[104, UInt64.self] = .max }.contains("damaged"))
    #expect(try refusal(.elf64([0])) { $0[88, UInt64.self] = .max }.contains("damaged"))
    #expect(try refusal(.elf64([0])) { $0[24, UInt64.self] = 0x20_0000 }.contains("is in no part"))
  }

  @Test("as a multiboot image is refused when its header is missing, or demands what there is not")
  func multibootImages() throws {
    #expect(try refusal(.multiboot([0])) { $0[0x1008, UInt32.self] = 1 }.contains("without a multiboot 1 header"))
    #expect(try refusal(.multiboot([0], flags: 4)) { _ in }.contains("demands"))
  }

  @Test("is refused flat where real mode does not reach")
  func flat() throws {
    let error = try #require(throws: ImageError.self) { try BootableImage(flat: [0, 0], at: 0xf_ffff) }
    #expect(error.description.contains("below 1 MiB"))
  }

  @Test("never ends the program: every truncation, and many a change of single bytes and words")
  func anything() throws {
    let seeds = [
      MadeImage.bzImage(), .multiboot([0xf4]), .elf64([0xf4], pvhEntry: 1), .elf64([0xf4], base: 0xffff_ffff_8000_0000),
    ].map(\.bytes)
    var (random, read) = (SeededGenerator(seed: 7), 0)
    func feed(_ bytes: [UInt8]) {
      guard let image = try? BootableImage(reading: bytes) else { return }
      read += 1
      for entry in EntryProtocol.allCases {
        _ = try? BootPlan(image, memory: 64 << 20, commandLine: [65], initrd: image.isLinux ? 5000 : nil, by: entry)
      }
    }
    for seed in seeds {
      for count in stride(from: 0, to: seed.count, by: seed.count > 700 ? 13 : 1) { feed(Array(seed.prefix(count))) }
      for _ in 0..<4000 {
        var bytes = seed
        let offset = Int.random(in: 0..<min(bytes.count, 0x300), using: &random)
        let values: [UInt8] = [0, 1, 0x7f, 0x80, 0xff, .random(in: 0...255, using: &random)]
        for index in offset..<min(bytes.count, offset + [1, 4, 8].randomElement(using: &random)!) {
          bytes[index] = values.randomElement(using: &random)!
        }
        feed(bytes)
      }
    }
    #expect(read > 100, "else the changes are too coarse to reach what is behind the headers")
  }
}
