// ELF files: 64-bit ones with an entry, 32-bit ones with a multiboot header.
// Facts: System V ABI, chapter 4 and 5 (ELF header, program headers, notes); Multiboot Specification 0.6.96, 3.1;
// Xen public/elfnote.h (XEN_ELFNOTE_PHYS32_ENTRY).

import Registers

/// An ELF file's headers.
struct ELFFile<Source: ImageSource> {
  /// A program header.
  struct Segment {
    let type: UInt32
    let file: Range<Int>
    let virtualAddress: UInt64
    let physicalAddress: UInt64
    let memorySize: UInt64
  }

  private let source: Source
  private let is64Bit: Bool
  private let entry: UInt64
  private let segments: [Segment]

  /// More program headers than any kernel has.
  private static var segmentLimit: Int { 128 }
  private static var typeLoad: UInt32 { 1 }
  private static var typeNote: UInt32 { 4 }

  /// Reads the headers.
  ///
  /// - Throws: `ImageError` when the file is damaged, or for another processor.
  init(_ source: Source) throws(ImageError) {
    self.source = source
    let identity = try Block(source, at: 0, count: 0x34, "ELF header")
    let (wordSize, order): (UInt8, UInt8) = (try identity.number(at: 4), try identity.number(at: 5))
    guard order == 1, wordSize == 1 || wordSize == 2 else {
      throw ImageError("it is an ELF file, but not for a little-endian machine of 32 or 64 bits")
    }
    is64Bit = wordSize == 2
    let header = is64Bit ? try Block(source, at: 0, count: 0x40, "ELF header") : identity
    let type: UInt16 = try header.number(at: 16)
    let machine: UInt16 = try header.number(at: 18)
    guard machine == 62 || machine == 3 && !is64Bit else {
      throw ImageError("it is an ELF file for machine \(machine), not for x86")
    }
    guard type == 2 else {
      throw ImageError(
        type == 3
          ? "it is a position-independent program (ET_DYN); link a static one (-static -no-pie)"
          : "it is an ELF file of type \(type), not a program (ET_EXEC)")
    }
    let (table, stride, count): (UInt64, Int, Int)
    if is64Bit {
      entry = try header.number(at: 24)
      table = try header.number(at: 32)
      stride = Int(try header.number(at: 54, as: UInt16.self))
      count = Int(try header.number(at: 56, as: UInt16.self))
    } else {
      entry = UInt64(try header.number(at: 24, as: UInt32.self))
      table = UInt64(try header.number(at: 28, as: UInt32.self))
      stride = Int(try header.number(at: 42, as: UInt16.self))
      count = Int(try header.number(at: 44, as: UInt16.self))
    }
    let smallest = is64Bit ? 56 : 32
    guard stride >= smallest, stride <= 256, (1...Self.segmentLimit).contains(count) else {
      throw ImageError("it has \(count) program headers of \(stride) bytes: the file is damaged")
    }
    guard let start = Int(exactly: table) else { throw ImageError("the offset of its program headers is too large") }
    let headers = try Block(source, at: start, count: stride * count, "program headers")
    var segments: [Segment] = []
    for index in 0..<count {
      segments.append(try Self.segment(headers, at: index * stride, is64Bit, fileCount: source.count))
    }
    self.segments = segments
  }

  private static func segment(
    _ headers: Block, at start: Int, _ is64Bit: Bool, fileCount: Int
  ) throws(ImageError) -> Segment {
    func word(_ long: Int, _ short: Int) throws(ImageError) -> UInt64 {
      is64Bit
        ? try headers.number(at: start + long, as: UInt64.self)
        : UInt64(try headers.number(at: start + short, as: UInt32.self))
    }
    let type: UInt32 = try headers.number(at: start)
    let (offset, fileSize) = (try word(8, 4), try word(32, 16))
    // Other headers are not used, and not checked.
    guard type == typeLoad || type == typeNote else {
      return Segment(type: type, file: 0..<0, virtualAddress: 0, physicalAddress: 0, memorySize: 0)
    }
    guard offset <= UInt64(fileCount), fileSize <= UInt64(fileCount) - offset else {
      throw ImageError(
        "its part of \(fileSize) bytes at offset \(offset) is not in the file of \(fileCount): it is truncated, or damaged"
      )
    }
    return Segment(
      type: type, file: Int(offset)..<Int(offset + fileSize), virtualAddress: try word(16, 8),
      physicalAddress: try word(24, 12), memorySize: try word(40, 20))
  }

  /// The image in the file.
  ///
  /// - Throws: `ImageError` when it cannot be loaded.
  func image() throws(ImageError) -> BootableImage {
    var parts: [BootableImage.Part] = []
    for segment in segments where segment.type == Self.typeLoad && segment.memorySize > 0 {
      parts.append(
        try BootableImage.Part(
          file: segment.file, address: segment.physicalAddress, memorySize: segment.memorySize))
    }
    if !is64Bit {
      try checkMultiboot()
      return try BootableImage(
        format: .multiboot, isLinux: false, parts: parts, entry: entry,
        commandLineLimit: LowMemory.multibootCommandLineSize - 1)
    }
    // Linux runs in the last 2 GiB of the address space (__START_KERNEL_map).
    let isLinux = segments.contains { $0.type == Self.typeLoad && $0.virtualAddress >= 0xffff_ffff_8000_0000 }
    return try BootableImage(
      format: .elf64, isLinux: isLinux, parts: parts, entry: entry, pvhEntry: try pvhEntry(),
      commandLineLimit: LowMemory.commandLineSize - 1)
  }

  // MARK: Multiboot

  /// Checks that the first 8 KiB hold a multiboot header whose demands can be met.
  private func checkMultiboot() throws(ImageError) {
    let start = try Block(source, at: 0, count: min(source.count, 8192), "first 8 KiB")
    for offset in stride(from: 0, through: min(source.count, 8192) - 12, by: 4) {
      guard try start.number(at: offset, as: UInt32.self) == 0x1bad_b002 else { continue }
      let flags: UInt32 = try start.number(at: offset + 4)
      let checksum: UInt32 = try start.number(at: offset + 8)
      guard 0x1bad_b002 &+ flags &+ checksum == 0 else { continue }
      // Bit 0: aligned modules, of which there are none; bit 1: the size of memory. Bits above 15 are optional.
      guard flags & 0xfffc == 0 else {
        throw ImageError("its multiboot header demands what Spectrap does not have (flags \(flags.hex))")
      }
      return
    }
    throw ImageError("it is a 32-bit ELF file without a multiboot 1 header in its first 8 KiB")
  }

  // MARK: PVH

  /// The entry in the note XEN_ELFNOTE_PHYS32_ENTRY; nil if there is none.
  private func pvhEntry() throws(ImageError) -> UInt32? {
    guard let note = try note(18, of: "Xen"), note.count >= 4 else { return nil }
    return try Block(note, at: 0, count: note.count, "PVH note").number(at: 0)
  }

  // MARK: Notes

  /// The content of the first note of this owner and type; nil where there is none.
  ///
  /// - Throws: `ImageError` when the file cannot be read.
  func note(_ type: UInt32, of owner: String) throws(ImageError) -> [UInt8]? {
    let name = Array(owner.utf8) + [0]
    for segment in segments where segment.type == Self.typeNote {
      // Real notes have a few hundred bytes.
      let end = min(segment.file.count, 1 << 16)
      let notes = try Block(source, at: segment.file.lowerBound, count: end, "notes")
      var offset = 0
      while end - offset >= 12 {
        let nameSize = Int(try notes.number(at: offset, as: UInt32.self))
        let size = Int(try notes.number(at: offset + 4, as: UInt32.self))
        let content = offset + 12 + (nameSize + 3) & ~3
        guard nameSize <= end, size <= end, content <= end, (size + 3) & ~3 <= end - content else { break }
        if try notes.number(at: offset + 8, as: UInt32.self) == type, nameSize == name.count,
          try notes.slice(offset + 12, nameSize) == name
        {
          return try notes.slice(content, size)
        }
        offset = content + (size + 3) & ~3
      }
    }
    return nil
  }
}
