// The contents of a machine's memory when its guest begins, and the first instruction: the image, an initrd, and the
// tables of the boot protocol.
// Facts: Linux Documentation/arch/x86/boot.rst and zero-page.rst; Xen public/arch-x86/hvm/start_info.h; Multiboot
// Specification 0.6.96, 3.2 and 3.3.

import Registers

/// How a 64-bit ELF file is entered.
public enum EntryProtocol: String, CaseIterable, Sendable {
  /// In 64-bit mode, at the entry of its ELF header.
  case long = "64"
  /// In 32-bit mode, at the entry of its PVH note.
  case pvh
}

/// A guest's memory and its first instruction.
public struct BootPlan: Equatable, Sendable {
  /// Bytes at a guest-physical address.
  public struct Made: Equatable, Sendable {
    public let address: UInt64
    public let bytes: [UInt8]
  }

  /// The state that the vCPU begins in.
  public enum Start: Equatable, Sendable {
    /// 16-bit mode; segment and offset of the first instruction.
    case real(segment: UInt16, offset: UInt16)
    /// 32-bit mode without paging, all segments 4 GiB from 0 on.
    case protected(eip: UInt32, eax: UInt32, ebx: UInt32)
    /// 64-bit mode, the first GiB mapped to itself.
    case long(rip: UInt64, rsi: UInt64, pageTables: UInt64, gdt: UInt64, gdtLimit: UInt16)
  }

  /// The parts of the image's file.
  public let parts: [BootableImage.Part]
  /// The tables of the boot protocol.
  public let made: [Made]
  /// The address of the initrd; nil without one.
  public let initrd: UInt64?
  public let start: Start

  /// The possible sizes of memory: at most up to the addresses of a PC's devices.
  public static let memorySizes: ClosedRange<UInt64> = 0x10_0000...0xc000_0000

  /// Plans a guest in a machine of `memory` bytes.
  ///
  /// - Parameter initrd: The length of the initrd's file.
  /// - Throws: `ImageError` when something does not fit or the file has no entry of the requested kind.
  public init(
    _ image: BootableImage, memory: UInt64, commandLine: [UInt8] = [], initrd: Int? = nil,
    by entry: EntryProtocol = .long
  ) throws(ImageError) {
    precondition(Self.memorySizes.contains(memory))
    guard image.memoryEnd <= memory else {
      throw ImageError(
        "the image needs memory up to \(image.memoryEnd.hex), and the guest has \(memory >> 20) MiB; give --memory "
          + "\((image.memoryEnd + 0xf_ffff) >> 20)M or more")
    }
    guard commandLine.count <= image.commandLineLimit else {
      throw ImageError(
        image.commandLineLimit == 0
          ? "an image of this form has no command line"
          : "the command line has \(commandLine.count) bytes, and this image accepts at most \(image.commandLineLimit)")
    }
    guard entry == .long || image.format == .elf64 else {
      throw ImageError("only a 64-bit ELF file can have an entry by the PVH protocol")
    }
    self.initrd = try initrd.map { size throws(ImageError) in try image.place(initrd: size, memory: memory) }
    parts = image.parts
    switch image.format {
    case .flat:
      made = []
      start = .real(segment: UInt16(image.entry >> 4), offset: UInt16(image.entry & 0xf))
    case .multiboot:
      try image.checkFree(of: LowMemory.multibootTables)
      made = Self.multibootInfo(memory: memory, commandLine)
      // The entry lies in a part, whose address has 32 bits.
      start = .protected(
        eip: UInt32(truncatingIfNeeded: image.entry), eax: 0x2bad_b002, ebx: UInt32(LowMemory.multibootInfo))
    case .elf64 where entry == .pvh:
      guard let eip = image.pvhEntry else {
        throw ImageError("the file has no entry by the PVH protocol (CONFIG_PVH); leave out --entry pvh")
      }
      try image.checkFree(of: LowMemory.linuxTables)
      made =
        Self.startInfo(
          memory: memory, initrd: self.initrd.map { ($0, UInt64(initrd ?? 0)) }) + [Self.text(commandLine)]
      start = .protected(eip: eip, eax: 0, ebx: UInt32(LowMemory.startInfo))
    case .elf64, .bzImage:
      try image.checkFree(of: LowMemory.linuxTables)
      guard image.entry < 1 << 30 else {
        throw ImageError("its entry, \(image.entry.hex), lies beyond the first GiB, which is mapped at the start")
      }
      made =
        [
          image.zeroPage(memory: memory, initrd: self.initrd.map { ($0, UInt64(initrd ?? 0)) }),
          Self.text(commandLine), Self.gdt,
        ] + Self.pageTables
      start = .long(
        rip: image.entry, rsi: LowMemory.zeroPage, pageTables: LowMemory.pageTables, gdt: LowMemory.gdt,
        gdtLimit: UInt16(Self.gdt.bytes.count - 1))
    }
  }

  private static func text(_ commandLine: [UInt8]) -> Made {
    Made(address: LowMemory.commandLine, bytes: commandLine + [0])
  }
}

extension BootableImage {
  /// Checks that no part overlaps the tables of the boot protocol.
  fileprivate func checkFree(of tables: Range<UInt64>) throws(ImageError) {
    for part in parts where part.memorySize > 0 && part.address < tables.upperBound && part.end > tables.lowerBound {
      throw ImageError(
        "its part of \(part.memorySize) bytes at \(part.address.hex) covers \(tables.lowerBound.hex) to "
          + "\(tables.upperBound.hex), where the tables of the boot protocol are; link it higher")
    }
  }

  /// The address of an initrd: a page, as high as possible, above the memory that the image needs.
  fileprivate func place(initrd size: Int, memory: UInt64) throws(ImageError) -> UInt64 {
    guard isLinux else { throw ImageError("only a Linux kernel can have an initrd") }
    guard size > 0 else { throw ImageError("the initrd is empty") }
    let top = min(memory, initrdLimit + 1) & ~0xfff
    let need = (UInt64(size) + 0xfff) & ~0xfff
    guard memoryEnd <= top, need <= top - memoryEnd else {
      throw ImageError(
        "an initrd of \(size) bytes does not fit into \(memory >> 20) MiB with the kernel, which needs memory up to "
          + "\(memoryEnd.hex); give --memory \((memoryEnd + need + 0xf_ffff) >> 20)M or more")
    }
    return (top - UInt64(size)) & ~0xfff
  }
}

// MARK: The tables of each protocol

extension BootableImage {
  /// `struct boot_params`.
  fileprivate func zeroPage(memory: UInt64, initrd: (start: UInt64, size: UInt64)?) -> BootPlan.Made {
    var page = PageBytes(4096)
    if setupHeader.isEmpty {
      page.put(0xaa55 as UInt16, at: 0x1fe)
      page.put(Array("HdrS".utf8), at: 0x202)
      page.put(0x20f as UInt16, at: 0x206)
      page.put(0x100_0000 as UInt32, at: 0x230)  // kernel_alignment
      page.put(UInt32(commandLineLimit), at: 0x238)
    } else {
      page.put(setupHeader, at: 0x1f1)
    }
    page.put(0xff as UInt8, at: 0x210)  // type_of_loader: unassigned
    page.put(page.bytes[0x211] | 1, at: 0x211)  // loadflags: LOADED_HIGH
    if let initrd {
      page.put(UInt32(initrd.start), at: 0x218)
      page.put(UInt32(initrd.size), at: 0x21c)
    }
    page.put(UInt32(LowMemory.commandLine), at: 0x228)
    let map = LowMemory.map(of: memory)
    page.put(UInt8(map.count), at: 0x1e8)
    for (index, range) in map.enumerated() {
      page.put(range.start, at: 0x2d0 + index * 20)
      page.put(range.end - range.start, at: 0x2d0 + index * 20 + 8)
      page.put(range.kind.rawValue, at: 0x2d0 + index * 20 + 16)
    }
    return BootPlan.Made(address: LowMemory.zeroPage, bytes: page.bytes)
  }
}

extension BootPlan {
  /// A 64-bit code segment at 0x10 and a data segment at 0x18, as Linux's 64-bit protocol requires.
  fileprivate static let gdt = Made(
    address: LowMemory.gdt,
    bytes: [0, 0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff as UInt64].flatMap(\.littleEndianBytes))

  /// The first GiB mapped to itself by pages of 2 MiB.
  fileprivate static let pageTables: [Made] = {
    let base = LowMemory.pageTables
    let flags: UInt64 = 3  // present, writable
    return [
      Made(address: base, bytes: (base + 0x1000 | flags).littleEndianBytes),
      Made(address: base + 0x1000, bytes: (base + 0x2000 | flags).littleEndianBytes),
      Made(
        address: base + 0x2000,
        bytes: (0..<512).flatMap { (UInt64($0) << 21 | flags | 1 << 7).littleEndianBytes }),
    ]
  }()

  /// The multiboot information structure and the command line.
  fileprivate static func multibootInfo(memory: UInt64, _ commandLine: [UInt8]) -> [Made] {
    var info = PageBytes(88)
    info.put(0b101 as UInt32, at: 0)  // has the size of memory and a command line
    info.put(640 as UInt32, at: 4)
    info.put(UInt32(memory >> 10) - 1024, at: 8)
    info.put(UInt32(LowMemory.multibootCommandLine), at: 16)
    return [
      Made(address: LowMemory.multibootInfo, bytes: info.bytes),
      Made(address: LowMemory.multibootCommandLine, bytes: commandLine + [0]),
    ]
  }

  /// `struct hvm_start_info` with its memory map and its list of modules.
  fileprivate static func startInfo(memory: UInt64, initrd: (start: UInt64, size: UInt64)?) -> [Made] {
    let (mapAddress, moduleAddress) = (LowMemory.startInfo + 0x100, LowMemory.startInfo + 0x200)
    let map = LowMemory.map(of: memory)
    var info = PageBytes(56)
    info.put(0x336e_c578 as UInt32, at: 0)
    info.put(1 as UInt32, at: 4)
    info.put((initrd == nil ? 0 : 1) as UInt32, at: 12)
    info.put(initrd == nil ? 0 : moduleAddress, at: 16)
    info.put(LowMemory.commandLine, at: 24)
    info.put(mapAddress, at: 40)
    info.put(UInt32(map.count), at: 48)
    let entries = map.flatMap { range in
      range.start.littleEndianBytes + (range.end - range.start).littleEndianBytes
        + UInt64(range.kind.rawValue).littleEndianBytes
    }
    let module = initrd.map {
      $0.start.littleEndianBytes + $0.size.littleEndianBytes + [UInt8](repeating: 0, count: 16)
    }
    return [
      Made(address: LowMemory.startInfo, bytes: info.bytes), Made(address: mapAddress, bytes: entries),
      Made(address: moduleAddress, bytes: module ?? [0]),
    ]
  }
}

/// A zeroed structure to be filled in.
private struct PageBytes {
  private(set) var bytes: [UInt8]

  init(_ count: Int) { bytes = [UInt8](repeating: 0, count: count) }

  mutating func put(_ content: [UInt8], at offset: Int) {
    bytes.replaceSubrange(offset..<offset + content.count, with: content)
  }

  mutating func put<T: FixedWidthInteger>(_ number: T, at offset: Int) { put(number.littleEndianBytes, at: offset) }
}
