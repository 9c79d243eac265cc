// A guest's file, read: what it is, which of its bytes go where, and where it is entered.

import Registers

/// The forms of files that can be booted.
public enum ImageFormat: String, Codable, CaseIterable, Sendable {
  /// A Linux kernel as distributions install it, `vmlinuz`.
  case bzImage
  /// A 64-bit ELF file: a Linux kernel as it is built, `vmlinux`, or a static program with an entry of its own.
  case elf64
  /// A 32-bit ELF file with a multiboot 1 header.
  case multiboot
  /// Bytes without a header, at an address that is given.
  case flat
}

/// A guest's file as it is to be loaded.
///
/// Invariants: the parts lie within the file; each part's memory is at least as long as its bytes and ends below 2^48.
public struct BootableImage: Equatable, Sendable {
  /// A stretch of the file and where it goes; memory behind its bytes stays zero.
  public struct Part: Equatable, Sendable {
    /// The place in the file.
    public let file: Range<Int>
    /// The guest-physical address.
    public let address: UInt64
    /// The length in memory.
    public let memorySize: UInt64

    init(file: Range<Int>, address: UInt64, memorySize: UInt64) throws(ImageError) {
      guard address < 1 << 47, memorySize < 1 << 47, memorySize >= UInt64(file.count) else {
        throw ImageError(
          "a part of \(memorySize) bytes at \(address.hex), of which \(file.count) are in the file, is none: the file is "
            + "damaged")
      }
      self.file = file
      self.address = address
      self.memorySize = memorySize
    }

    /// Where the part ends in memory.
    var end: UInt64 { address + memorySize }
  }

  public let format: ImageFormat
  /// Whether this is a Linux kernel.
  public let isLinux: Bool
  public let parts: [Part]
  /// Where the processor begins, a guest-physical address.
  public let entry: UInt64
  /// Where it begins by the PVH protocol, nil where the file has no such entry.
  public let pvhEntry: UInt32?
  /// Where the memory ends that the image needs from its start on.
  public let memoryEnd: UInt64
  /// The longest command line in bytes.
  public let commandLineLimit: Int
  /// The highest address of an initrd's last byte.
  let initrdLimit: UInt64
  /// The setup header of a bzImage, as it goes to offset 0x1f1 of the zero page.
  let setupHeader: [UInt8]

  init(
    format: ImageFormat, isLinux: Bool, parts: [Part], entry: UInt64, pvhEntry: UInt32? = nil, memoryEnd: UInt64 = 0,
    commandLineLimit: Int, initrdLimit: UInt64 = 0x7fff_ffff, setupHeader: [UInt8] = []
  ) throws(ImageError) {
    guard !parts.isEmpty else { throw ImageError("the file has nothing to load") }
    guard parts.contains(where: { $0.address <= entry && entry < $0.end }) else {
      throw ImageError("its entry, \(entry.hex), lies in none of the parts that it loads: the file is damaged")
    }
    self.format = format
    self.isLinux = isLinux
    self.parts = parts
    self.entry = entry
    self.pvhEntry = pvhEntry
    self.memoryEnd = parts.map(\.end).reduce(memoryEnd, max)
    self.commandLineLimit = commandLineLimit
    self.initrdLimit = initrdLimit
    self.setupHeader = setupHeader
  }
}

extension BootableImage {
  /// Reads a file, whose form is told from its bytes.
  ///
  /// - Throws: `ImageError` when it is none of those that can be booted, is damaged, or asks for what there is not.
  public init(reading source: some ImageSource) throws(ImageError) {
    guard source.count > 0 else { throw ImageError("the file is empty") }
    let start = try source.bytes(0..<min(source.count, 0x206))
    if start.starts(with: [0x7f, 0x45, 0x4c, 0x46]) {
      self = try ELFFile(source).image()
    } else if start.count == 0x206, start[0x202...].elementsEqual("HdrS".utf8) {
      self = try BootableImage(bzImage: source)
    } else {
      throw ImageError(
        "this is no file that can be booted: give a Linux kernel (bzImage or 64-bit ELF), a multiboot 1 image in 32-bit "
          + "ELF, a static 64-bit ELF, or anything else with --flat ADDRESS\(Self.guess(start))")
    }
  }

  /// What such a file probably is, for a message.
  private static func guess(_ start: [UInt8]) -> String {
    if start.starts(with: [0x1f, 0x8b]) { return "; this one is compressed by gzip: unpack it" }
    if start.starts(with: [0xfd, 0x37, 0x7a, 0x58, 0x5a]) { return "; this one is compressed by xz: unpack it" }
    if start.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) { return "; this one is compressed by zstd: unpack it" }
    if start.starts(with: Array("MZ".utf8)) { return "; this one is a program for EFI" }
    return ""
  }

  /// Bytes without a header, entered at their start in 16-bit real mode.
  ///
  /// - Throws: `ImageError` when they are none, or real mode does not reach the address.
  public init(flat source: some ImageSource, at address: UInt64) throws(ImageError) {
    guard source.count > 0 else { throw ImageError("the file is empty") }
    guard address < 0x10_0000, UInt64(source.count) <= 0x10_0000 - address else {
      throw ImageError(
        "\(source.count) bytes at \(address.hex) do not lie below 1 MiB, where a flat image begins in real mode")
    }
    try self.init(
      format: .flat, isLinux: false,
      parts: [Part(file: 0..<source.count, address: address, memorySize: UInt64(source.count))], entry: address,
      commandLineLimit: 0)
  }
}
