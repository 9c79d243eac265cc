// A user's own guest: a static 64-bit ELF file that follows the ABI of docs/guest-abi.md, with its promise in a note.
// Facts: System V ABI, chapter 5 (program headers, notes).

public import GuestImages
import Registers

extension GuestImage {
  /// The guest of an ELF file, which is called so in results.
  ///
  /// - Throws: `ImageError` when the file is none that follows the ABI, `GuestImageError.name` when a guest cannot be
  ///   called so.
  public init(elf source: some ImageSource, named name: String) throws {
    guard source.count >= 4, try source.bytes(0..<4) == [0x7f, 0x45, 0x4c, 0x46] else {
      throw ImageError("it is no ELF file; a guest of your own is a static 64-bit one (docs/guest-abi.md)")
    }
    let file = try ELFFile(source)
    let image = try file.image()
    guard image.format == .elf64 else {
      throw ImageError("it is a 32-bit ELF file; a guest of your own is a static 64-bit one (docs/guest-abi.md)")
    }
    guard let note = try file.note(GuestPromise.noteType, of: GuestPromise.noteOwner) else {
      throw ImageError(
        "it has no note of \(GuestPromise.noteOwner)'s that says what it does, so its counts could not be checked "
          + "(docs/guest-abi.md); `spectrap boot` runs a guest that promises nothing")
    }
    let promise = try GuestPromise(note)
    var contents: [MemoryImage] = []
    for part in image.parts {
      guard Layout.image.contains(part.address), part.memorySize <= Layout.image.upperBound - part.address else {
        throw ImageError("\(GuestImageError.outside(part.address, part.memorySize))")
      }
      contents.append(MemoryImage(address: part.address, bytes: try source.bytes(part.file)))
    }
    let workload = try Workload(
      named: name, summary: "an image of your own", entries: [promise.entry], msr: promise.msr ?? .specCtrl,
      writtenBits: promise.writtenBits, atBoot: promise.atBoot, perIteration: promise.perIteration)
    do {
      try self.init(contents, startingAt: image.entry, promising: workload, entry: promise.entry)
    } catch let error as GuestImageError { throw ImageError("\(error)") }
  }
}

/// What an image's note says that it does.
struct GuestPromise {
  static let noteOwner = "Spectrap"
  static let noteType: UInt32 = 1
  static let size = 56
  static let version: UInt32 = 1
  /// More of a thing than that would be no kernel entry any more.
  static let most: UInt32 = 65535
  /// The entries by their numbers.
  static let entries: [Entry] = [.none, .syscall, .sysenter, .breakpoint, .undefined]

  let entry: Entry
  /// The MSR that it accesses; nil for none.
  let msr: MSR?
  let writtenBits: UInt64
  let perIteration: Workload.Actions
  let atBoot: Workload.Actions

  /// Reads a note's content.
  ///
  /// - Throws: `ImageError` when it promises what cannot be.
  init(_ note: [UInt8]) throws(ImageError) {
    guard note.count >= 4 else { throw ImageError("its note of Spectrap's is empty") }
    let block = try Block(note, at: 0, count: note.count, "note")
    let version: UInt32 = try block.number(at: 0)
    guard version == Self.version, note.count == Self.size else {
      throw ImageError(
        "its note has \(note.count) bytes of version \(version); this program knows version \(Self.version), of "
          + "\(Self.size) bytes")
    }
    let (entry, msr, zero): (UInt32, UInt32, UInt32) = (
      try block.number(at: 4), try block.number(at: 8), try block.number(at: 12)
    )
    guard entry < Self.entries.count, zero == 0 else {
      throw ImageError(
        "its note has the entry \(entry), from 0 to \(Self.entries.count - 1), and \(zero) where 0 belongs")
    }
    self.entry = Self.entries[Int(entry)]
    self.msr = msr == 0 ? nil : MSR(msr)
    writtenBits = try block.number(at: 16)
    var counts: [UInt64] = []
    for index in 0..<8 {
      let count: UInt32 = try block.number(at: 24 + index * 4)
      guard count <= Self.most else {
        throw ImageError("its note promises \(count) of something in each iteration; at most \(Self.most) are possible")
      }
      counts.append(UInt64(count))
    }
    guard msr != 0 || counts[0] + counts[1] + counts[5] + counts[6] == 0 && writtenBits == 0 else {
      throw ImageError("its note promises accesses of an MSR, and says of none which")
    }
    perIteration = Workload.Actions(
      reads: counts[0], writes: counts[1], outs: counts[2], stores: counts[3], halts: counts[4])
    atBoot = Workload.Actions(reads: counts[5], writes: counts[6], outs: counts[7])
  }
}
