// Every file of the fuzzing corpus: read or refused, and neither ends the program. What fuzzing finds is put there, and
// stays mended.

import FoundationEssentials
import Glibc
import TestSupport
import Testing

@testable import Images

@Suite("The images' fuzzing corpus")
struct CorpusTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus")

  private static let seeds = [
    "bzImage": MadeImage.bzImage(), "multiboot": .multiboot([0xf4]), "elf64": .elf64([0xf4], pvhEntry: 0x10_0000),
    "vmlinux": .elf64([0xf4], base: 0xffff_ffff_8000_0000),
    "own-guest": .ownGuest([0xf4], entry: 3, msr: 0x48, bits: 1, each: [1, 2, 3, 4, 5], atBoot: [6, 7, 8]),
  ]

  @Test(
    "holds the seeds as they are made (SPECTRAP_UPDATE_CORPUS=1 writes them anew), each read, and nothing else unread")
  func files() throws {
    // Safe: nothing changes the environment here.
    if unsafe getenv("SPECTRAP_UPDATE_CORPUS") != nil {
      for (name, image) in Self.seeds { try Data(image.bytes).write(to: Self.folder.appending(path: name)) }
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).filter { !$0.hasPrefix(".") }
    for name in names {
      let bytes = Array(try Data(contentsOf: Self.folder.appending(path: name)))
      #expect(Self.seeds[name].map { $0.bytes == bytes } ?? name.hasPrefix("found-"), "\(name)")
      do throws(ImageError) {
        let image = try BootableImage(reading: bytes)
        _ = try? BootPlan(image, memory: 32 << 20)
      } catch { #expect(name.hasPrefix("found-"), "\(name): \(error)") }
    }
    #expect(Set(Self.seeds.keys).isSubset(of: names))
  }
}
