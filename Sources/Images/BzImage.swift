// A compressed Linux kernel: a setup part for real mode, of which only the header is used, and the part that is entered
// in 64-bit mode and unpacks the rest.
// Facts: Linux Documentation/arch/x86/boot.rst (the setup header, the 64-bit boot protocol).

import Registers

extension BootableImage {
  /// Offsets of the setup header's fields, from the start of the file.
  private enum Field {
    static let setupSectors = 0x1f1
    static let protectedModeSize = 0x1f4  // in units of 16 bytes
    static let bootFlag = 0x1fe
    static let jump = 0x200
    static let version = 0x206
    static let initrdLimit = 0x22c
    static let loadFlags = 0x236
    static let commandLineSize = 0x238
    static let preferredAddress = 0x258
    static let initSize = 0x260
    static let end = 0x264
  }

  /// Version 2.12 of the boot protocol is the first with the 64-bit entry's flag.
  private static let oldestVersion: UInt16 = 0x20c
  /// XLF_KERNEL_64: there is a 64-bit entry at 0x200 of the part that is loaded.
  private static let has64BitEntry: UInt16 = 1
  /// The zero page has room for the setup header up to here.
  private static let headerLimit = 0x290

  init(bzImage source: some ImageSource) throws(ImageError) {
    let header = try Block(source, at: 0, count: min(source.count, Self.headerLimit), "setup header")
    let version: UInt16 = try header.number(at: Field.version)
    guard try header.number(at: Field.bootFlag, as: UInt16.self) == 0xaa55 else {
      throw ImageError("its boot flag is not 0xaa55: the kernel is damaged")
    }
    guard version >= Self.oldestVersion else {
      throw ImageError(
        "it is a kernel of boot protocol \(version >> 8).\(version & 0xff); 2.12 (Linux 3.8) is the first with the 64-bit "
          + "entry that Spectrap uses")
    }
    _ = try header.slice(0, Field.end)
    guard try header.number(at: Field.loadFlags, as: UInt16.self) & Self.has64BitEntry != 0 else {
      throw ImageError("it is a 32-bit kernel, or has no 64-bit entry (XLF_KERNEL_64)")
    }

    // 0 means 4, for old kernels.
    let sectors = try header.number(at: Field.setupSectors, as: UInt8.self)
    let start = (Int(sectors == 0 ? 4 : sectors) + 1) * 512
    let size = Int(try header.number(at: Field.protectedModeSize, as: UInt32.self)) * 16
    // The size counts units of 16 bytes; the last may be incomplete.
    guard size > 0, start < source.count, source.count - start > size - 16 else {
      throw ImageError(
        "the kernel needs \(size) bytes from offset \(start) on, and the file has \(source.count) in all: it is truncated, "
          + "or damaged")
    }
    let address: UInt64 = try header.number(at: Field.preferredAddress)
    let initSize = UInt64(try header.number(at: Field.initSize, as: UInt32.self))
    guard address >= 0x10_0000, address < 1 << 32 else {
      throw ImageError("its preferred address is \(address.hex): the kernel is damaged")
    }
    let part = try Part(
      file: start..<source.count, address: address, memorySize: UInt64(source.count - start))
    let headerEnd = 0x202 + Int(try header.number(at: Field.jump + 1, as: UInt8.self))
    let setup = try header.slice(Field.setupSectors, min(headerEnd, Self.headerLimit, source.count) - 0x1f1)
    try self.init(
      format: .bzImage, isLinux: true, parts: [part], entry: address + 0x200, memoryEnd: address + initSize,
      commandLineLimit: min(
        Int(try header.number(at: Field.commandLineSize, as: UInt32.self)), LowMemory.commandLineSize - 1),
      initrdLimit: UInt64(try header.number(at: Field.initrdLimit, as: UInt32.self)), setupHeader: setup)
  }
}
