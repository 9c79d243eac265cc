// A user's own guest, read from its file: what it promises, and how one that does not follow the ABI is refused.

import GuestImages
import Measurement
import Registers
import TestSupport
import Testing

@testable import Images

@Suite("A guest of the user's")
struct OwnGuestTests {
  private static let made = MadeImage.ownGuest(
    [0x90, 0xf4], entry: 3, msr: 0x48, bits: 5, each: [1, 2, 3, 4, 5], atBoot: [6, 7, 8])

  @Test("promises what its note says, and is loaded where it says")
  func promise() throws {
    let image = try GuestImage(elf: Self.made.bytes, named: "my-guest.elf")
    let workload = image.workload
    #expect(workload.name == .unknown("my-guest.elf") && image.entry == .breakpoint && workload.msr == .specCtrl)
    #expect(workload.perIteration == .init(reads: 1, writes: 2, outs: 3, stores: 4, halts: 5))
    #expect(workload.atBoot == .init(reads: 6, writes: 7, outs: 8) && workload.writtenBits == 5)
    #expect(workload.actions(iterations: 10).writes == 27)
    #expect(image.contents.contains(MemoryImage(address: 0x8000, bytes: [0x90, 0xf4])))
    #expect(image.start == .long(rip: 0x8000, rsp: 0x8000))
  }

  private func refusal(_ damage: (inout MadeImage) -> Void) throws -> String {
    var image = Self.made
    damage(&image)
    return try #require(throws: ImageError.self) { try GuestImage(elf: image.bytes, named: "own") }.description
  }

  @Test("is refused where it does not follow the ABI, with what is possible")
  func refusals() throws {
    let note = MadeImage.ownGuestNote
    #expect(try refusal { $0.bytes = [] }.contains("no ELF file"))
    #expect(try refusal { $0.bytes = Array("#!/bin/sh".utf8) }.contains("no ELF file"))
    #expect(try refusal { $0 = .multiboot([0xf4]) }.contains("32-bit ELF"))
    #expect(try refusal { $0 = .elf64([0xf4]) }.contains("no note of Spectrap's"))
    #expect(try refusal { $0.bytes.removeLast() }.contains("truncated"))
    #expect(try refusal { $0[note, UInt32.self] = 2 }.contains("version 2"))
    #expect(try refusal { $0[0x204, UInt32.self] = 52 }.contains("52 bytes"))
    #expect(try refusal { $0[0x204, UInt32.self] = 0 }.contains("empty"))
    #expect(try refusal { $0[note + 4, UInt32.self] = 5 }.contains("from 0 to 4"))
    #expect(try refusal { $0[note + 12, UInt32.self] = 1 }.contains("where 0 belongs"))
    #expect(try refusal { $0[note + 28, UInt32.self] = 65536 }.contains("at most 65535"))
    #expect(try refusal { $0[note + 8, UInt32.self] = 0 }.contains("says of none which"))
    // Outside of the memory of images: its first page, its end, and what would wrap.
    for address: UInt64 in [0x7000, 0x2_7fff] {
      #expect(try refusal { for field in [24, 88] { $0[field, UInt64.self] = address } }.contains("to 0x28000"))
    }
    #expect(try refusal { $0[104, UInt64.self] = 1 << 46 }.contains("to 0x28000"))
    #expect(try refusal { $0[24, UInt64.self] = 0x9500 }.contains("is in no part that is loaded"))
  }

  @Test("is called by a word that is no workload's")
  func names() throws {
    for name in [
      "ibrs", "", "a/b", "a b", "a+b", String(repeating: "x", count: 65), "\u{e9}", "a\u{1b}[2J",
    ] {
      #expect(throws: GuestImageError.self, "\(name)") { try GuestImage(elf: Self.made.bytes, named: name) }
    }
  }

  @Test("never ends the program: every truncation, and many a change of single bytes and words")
  func anything() throws {
    var (random, read) = (SeededGenerator(seed: 11), 0)
    func feed(_ bytes: [UInt8]) {
      guard let image = try? GuestImage(elf: bytes, named: "own") else { return }
      read += 1
      let most = UInt64(SampleRecord.maximumCount) * UInt64(UInt32.max)
      #expect(image.workload.actions(iterations: most).outs >= 0)
      for part in image.contents { #expect(part.address + UInt64(part.bytes.count) <= UInt64(Layout.memorySize)) }
    }
    for count in 0..<0x280 { feed(Array(Self.made.bytes.prefix(count))) }
    for _ in 0..<4000 {
      var bytes = Self.made.bytes
      let offset = Int.random(in: 0..<0x260, using: &random)
      for index in offset..<offset + [1, 4, 8].randomElement(using: &random)! {
        bytes[index] = [0, 1, 0x7f, 0xff, .random(in: 0...255, using: &random)].randomElement(using: &random)!
      }
      feed(bytes)
    }
    #expect(read > 100, "else the changes are too coarse to reach what is behind the headers")
  }
}
