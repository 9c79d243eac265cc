// A guest's file: its format, where its bytes go, and where it is entered.

import Registers

/// The formats of files that can be booted.
public enum ImageFormat: String, Codable, CaseIterable, Sendable {
  /// A compressed Linux kernel, `vmlinuz`.
  case bzImage
  /// A 64-bit ELF file: an uncompressed Linux kernel, `vmlinux`, or another static program.
  case elf64
  /// A 32-bit ELF file with a multiboot 1 header.
  case multiboot
  /// Bytes without a header, loaded at a given address.
  case flat
}

/// A guest's file, ready to be loaded.
///
/// Invariants: the parts lie within the file; each part's memory is at least as long as its bytes and ends below 2^48.
public struct BootableImage: Equatable, Sendable {
  /// A part of the file and its place in memory; memory after its bytes stays zero.
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
          "a part of \(memorySize) bytes at \(address.hex) with \(file.count) bytes in the file is invalid: the file is "
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
  /// The guest-physical address of the first instruction.
  public let entry: UInt64
  /// The first instruction by the PVH protocol; nil if the file has no such entry.
  public let pvhEntry: UInt32?
  /// The end of the memory that the image needs at its start.
  public let memoryEnd: UInt64
  /// The longest command line in bytes.
  public let commandLineLimit: Int
  /// The highest address of an initrd's last byte.
  let initrdLimit: UInt64
  /// The setup header of a bzImage, for offset 0x1f1 of the zero page.
  let setupHeader: [UInt8]

  init(
    format: ImageFormat, isLinux: Bool, parts: [Part], entry: UInt64, pvhEntry: UInt32? = nil, memoryEnd: UInt64 = 0,
    commandLineLimit: Int, initrdLimit: UInt64 = 0x7fff_ffff, setupHeader: [UInt8] = []
  ) throws(ImageError) {
    guard !parts.isEmpty else { throw ImageError("the file has nothing to load") }
    guard parts.contains(where: { $0.address <= entry && entry < $0.end }) else {
      throw ImageError("its entry, \(entry.hex), is in no part that is loaded: the file is damaged")
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
  /// Reads a file; its first bytes decide the format.
  ///
  /// - Throws: `ImageError` when it has no format that can be booted, is damaged, or needs something that is missing.
  public init(reading source: some ImageSource) throws(ImageError) {
    guard source.count > 0 else { throw ImageError("the file is empty") }
    let start = try source.bytes(0..<min(source.count, 0x206))
    if start.starts(with: [0x7f, 0x45, 0x4c, 0x46]) {
      self = try ELFFile(source).image()
    } else if start.count == 0x206, start[0x202...].elementsEqual("HdrS".utf8) {
      self = try BootableImage(bzImage: source)
    } else {
      throw ImageError(
        "this file cannot be booted: give a Linux kernel (bzImage or 64-bit ELF), a multiboot 1 image in 32-bit "
          + "ELF, a static 64-bit ELF, or anything else with --flat ADDRESS\(Self.guess(start))")
    }
  }

  /// What such a file probably is, for a message.
  private static func guess(_ start: [UInt8]) -> String {
    let kinds: [([UInt8], String)] = [
      ([0x1f, 0x8b], "compressed by gzip: unpack it"),
      ([0xfd, 0x37, 0x7a, 0x58, 0x5a], "compressed by xz: unpack it"),
      ([0x28, 0xb5, 0x2f, 0xfd], "compressed by zstd: unpack it"), (Array("MZ".utf8), "a program for EFI"),
    ]
    return kinds.first { start.starts(with: $0.0) }.map { "; this one is \($0.1)" } ?? ""
  }

  /// Bytes without a header, entered at their start in 16-bit real mode.
  ///
  /// - Throws: `ImageError` when the file is empty, or real mode does not reach the address.
  public init(flat source: some ImageSource, at address: UInt64) throws(ImageError) {
    guard source.count > 0 else { throw ImageError("the file is empty") }
    guard address < 0x10_0000, UInt64(source.count) <= 0x10_0000 - address else {
      throw ImageError(
        "\(source.count) bytes at \(address.hex) are not below 1 MiB, which real mode can reach")
    }
    try self.init(
      format: .flat, isLinux: false,
      parts: [Part(file: 0..<source.count, address: address, memorySize: UInt64(source.count))], entry: address,
      commandLineLimit: 0)
  }
}
