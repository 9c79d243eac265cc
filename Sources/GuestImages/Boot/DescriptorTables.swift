// The guest's GDT, TSS and IDT.
// Facts: Intel SDM vol. 3A, 3.4.5 (segment descriptors), 6.14 (64-bit IDT gates), 7.7 (64-bit TSS); vol. 2, SYSCALL,
// SYSRET, SYSENTER and SYSEXIT for the order of the selectors.

/// The selectors of the guest's segments, in the order that SYSCALL and SYSENTER require.
public enum Selector {
  public static let kernelCode: UInt16 = 0x10
  public static let kernelData: UInt16 = 0x18
  /// 32-bit user code, with the requested privilege level 3.
  public static let userCode32: UInt16 = 0x23
  public static let userData: UInt16 = 0x2b
  public static let userCode64: UInt16 = 0x33
  public static let taskState: UInt16 = 0x40

  /// IA32_STAR: SYSCALL takes 0x10 and 0x18, SYSRET to 64-bit code 0x33 and 0x2b.
  static let star: UInt64 = 0x0023_0010_0000_0000
  /// IA32_SYSENTER_CS: SYSENTER takes 0x10 and 0x18, SYSEXIT to 32-bit code 0x23 and 0x2b.
  static let sysenterCS: UInt64 = 0x10
}

enum DescriptorTables {
  static let gdtLimit: UInt16 = 0x4f
  static let tssLimit: UInt32 = 0x67
  static let vectorCount = 32
  static let idtLimit = UInt16(vectorCount * 16 - 1)

  static var gdt: MemoryImage {
    // A TSS descriptor is two words: the first has base 31:0 in pieces, the second base 63:32.
    let tss = Layout.tss
    let tssLow =
      UInt64(tssLimit) | (tss & 0xff_ffff) << 16 | 0x8b << 40 | (tss >> 24 & 0xff) << 56
    return MemoryImage(
      address: Layout.gdt,
      words: [
        0,
        0x00cf_9b00_0000_ffff,  // 0x08 32-bit kernel code
        0x00af_9b00_0000_ffff,  // 0x10 64-bit kernel code
        0x00cf_9300_0000_ffff,  // 0x18 kernel data
        0x00cf_fb00_0000_ffff,  // 0x20 32-bit user code
        0x00cf_f300_0000_ffff,  // 0x28 user data
        0x00af_fb00_0000_ffff,  // 0x30 64-bit user code
        0,
        tssLow, tss >> 32,  // 0x40 task state
      ])
  }

  /// RSP0 at offset 4, and an I/O map base beyond the limit, so that user mode has no ports.
  static var tss: MemoryImage {
    var bytes = [UInt8](repeating: 0, count: Int(tssLimit) + 1)
    for index in 0..<8 { bytes[4 + index] = UInt8(truncatingIfNeeded: Layout.kernelStackTop >> UInt64(index * 8)) }
    bytes[0x66] = UInt8(tssLimit + 1)
    return MemoryImage(address: Layout.tss, bytes: bytes)
  }

  /// An interrupt gate that user mode may use, for each vector's handler.
  static func idt(handlers: [UInt64]) -> MemoryImage {
    MemoryImage(
      address: Layout.idt,
      words: handlers.flatMap { handler -> [UInt64] in
        [
          (handler & 0xffff) | UInt64(Selector.kernelCode) << 16 | 0xee << 40 | (handler >> 16 & 0xffff) << 48,
          handler >> 32,
        ]
      })
  }
}
