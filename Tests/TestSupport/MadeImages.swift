// Images of guests made here, byte by byte, so that tests can damage each field.

public import GuestImages

/// The bytes of a file in the making.
public struct MadeImage: Sendable {
  public var bytes: [UInt8]

  /// The number at an offset.
  public subscript<T: FixedWidthInteger>(offset: Int, type: T.Type) -> T {
    get { (0..<MemoryLayout<T>.size).reduce(0) { $0 | T(truncatingIfNeeded: bytes[offset + $1]) << T($1 * 8) } }
    set {
      for index in 0..<MemoryLayout<T>.size {
        bytes[offset + index] = UInt8(truncatingIfNeeded: newValue >> T(index * 8))
      }
    }
  }

  private init(count: Int) { bytes = [UInt8](repeating: 0, count: count) }

  private mutating func put(_ content: some Collection<UInt8>, at offset: Int) {
    bytes.replaceSubrange(offset..<offset + content.count, with: content)
  }

  /// Where the parts of the images below go.
  public static let address: UInt64 = 0x10_0000

  /// A multiboot 1 image in 32-bit ELF with this program, which begins right behind its header of 12 bytes.
  public static func multiboot(_ program: [UInt8], flags: UInt32 = 0) -> MadeImage {
    var image = MadeImage(count: 0x1000 + 12 + program.count)
    image.put([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1], at: 0)
    image[16, UInt16.self] = 2
    image[18, UInt16.self] = 3
    image[24, UInt32.self] = UInt32(address) + 12
    image[28, UInt32.self] = 52
    image[42, UInt16.self] = 32
    image[44, UInt16.self] = 1
    image[52, UInt32.self] = 1
    image[56, UInt32.self] = 0x1000
    image[60, UInt32.self] = UInt32(address)
    image[64, UInt32.self] = UInt32(address)
    image[68, UInt32.self] = UInt32(program.count + 12)
    image[72, UInt32.self] = UInt32(program.count + 12 + 4096)
    image[0x1000, UInt32.self] = 0x1bad_b002
    image[0x1004, UInt32.self] = flags
    image[0x1008, UInt32.self] = 0 &- 0x1bad_b002 &- flags
    image.put(program, at: 0x100c)
    return image
  }

  /// The same with a program that is assembled here.
  public static func multiboot(_ write: (inout Assembler) -> Void) throws -> MadeImage {
    var asm = Assembler(origin: address + 12, mode: .bits32)
    write(&asm)
    return multiboot(try asm.assemble().bytes)
  }

  /// A 64-bit ELF file with this program, and a PVH note with that entry; its virtual addresses begin with `base`.
  public static func elf64(
    _ program: [UInt8], base: UInt64 = 0, pvhEntry: UInt32? = nil
  ) -> MadeImage {
    var image = MadeImage(count: 0x1000 + program.count)
    image.put([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], at: 0)
    image[16, UInt16.self] = 2
    image[18, UInt16.self] = 62
    image[24, UInt64.self] = address
    image[32, UInt64.self] = 64
    image[54, UInt16.self] = 56
    image[56, UInt16.self] = pvhEntry == nil ? 1 : 2
    image[64, UInt32.self] = 1
    image[72, UInt64.self] = 0x1000
    image[80, UInt64.self] = base &+ address
    image[88, UInt64.self] = address
    image[96, UInt64.self] = UInt64(program.count)
    image[104, UInt64.self] = UInt64(program.count) + 4096
    if let pvhEntry {
      image[120, UInt32.self] = 4
      image[128, UInt64.self] = 0x200
      image[152, UInt64.self] = 20 + 20
      // Another project's note first.
      image[0x200, UInt32.self] = 4
      image[0x204, UInt32.self] = 4
      image[0x208, UInt32.self] = 18
      image.put(Array("GNU\0".utf8), at: 0x20c)
      image[0x214, UInt32.self] = 4
      image[0x218, UInt32.self] = 4
      image[0x21c, UInt32.self] = 18
      image.put(Array("Xen\0".utf8), at: 0x220)
      image[0x224, UInt32.self] = pvhEntry
    }
    image.put(program, at: 0x1000)
    return image
  }

  /// A guest that follows docs/guest-abi.md, with this program for 64-bit mode and this promise in its note.
  public static func ownGuest(
    _ program: [UInt8], entry: UInt32 = 0, msr: UInt32 = 0, bits: UInt64 = 0,
    each: [UInt32] = [0, 0, 0, 0, 0], atBoot: [UInt32] = [0, 0, 0]
  ) -> MadeImage {
    var image = elf64(program, pvhEntry: 0)
    image[24, UInt64.self] = ownGuestAddress
    for field in [80, 88] { image[field, UInt64.self] = ownGuestAddress }
    image[152, UInt64.self] = 24 + 56
    image[0x200, UInt32.self] = 9
    image[0x204, UInt32.self] = 56
    image[0x208, UInt32.self] = 1
    image.put(Array("Spectrap".utf8) + [0, 0, 0, 0], at: 0x20c)
    for (index, word) in ([1, entry, msr, 0, UInt32(truncatingIfNeeded: bits), UInt32(bits >> 32)] + each + atBoot)
      .enumerated()
    {
      image[ownGuestNote + index * 4, UInt32.self] = word
    }
    return image
  }

  /// Where that program goes, and where in the file the note's content is.
  public static let ownGuestAddress: UInt64 = 0x8000
  public static let ownGuestNote = 0x218

  /// A Linux kernel's file of boot protocol 2.15 whose part for 64-bit mode is 4096 bytes long.
  public static func bzImage() -> MadeImage {
    var image = MadeImage(count: 1024 + 4096)
    image.bytes[0x1f1] = 1
    image[0x1f4, UInt32.self] = 256
    image[0x1fe, UInt16.self] = 0xaa55
    image.put([0xeb, 0x66], at: 0x200)
    image.put(Array("HdrS".utf8), at: 0x202)
    image[0x206, UInt16.self] = 0x20f
    image.bytes[0x211] = 0x80
    image[0x22c, UInt32.self] = 0x7fff_ffff
    image[0x236, UInt16.self] = 1
    image[0x238, UInt32.self] = 2047
    image[0x258, UInt64.self] = 0x100_0000
    image[0x260, UInt32.self] = 0x20_0000
    image.put([UInt8](repeating: 0x90, count: 4096), at: 1024)
    return image
  }
}

extension Assembler {
  /// Writes bytes to a port, one after the other.
  public mutating func out(_ bytes: some Sequence<UInt8>, to port: UInt16) {
    mov(.edx, port)
    for byte in bytes {
      mov(.eax, byte)
      out(.dx, .al)
    }
  }
}
