// The layout of a guest's physical memory. Linear and physical addresses are the same.
// Facts: Intel SDM vol. 3A, chapter 4 (paging: 4 KiB pages), 3.4 (descriptors).

/// The memory map of every guest: 1 MiB from address 0, which real mode can reach, in 4096-byte pages.
public enum Layout {
  public static let pageSize = 4096
  /// The length of guest memory in bytes.
  public static let memorySize = 0x10_0000

  /// The real-mode vector table of the guests that stay in real mode.
  static let vectorTable: UInt64 = 0
  static let pml4: UInt64 = 0x1000
  static let pageDirectoryPointers: UInt64 = 0x2000
  static let pageDirectory: UInt64 = 0x3000
  static let pageTable: UInt64 = 0x4000
  static let gdt: UInt64 = 0x5000
  static let tss: UInt64 = 0x5100
  /// Two words of the entry `isolated`, in the page of the GDT: user mode's RSP, and the top of the kernel's stack.
  static let entryWords: UInt64 = 0x5800
  static let idt: UInt64 = 0x6000
  /// The start of the kernel's stack, which grows down.
  static let kernelStackTop: UInt64 = 0x8000
  static let kernelText: UInt64 = 0x8000
  static let kernelTextEnd: UInt64 = 0x2_0000
  static let userText: UInt64 = 0x2_0000
  static let userTextEnd: UInt64 = 0x2_8000
  static let userStackTop: UInt64 = 0x2_a000
  /// The handlers of exceptions that an image from elsewhere begins with.
  static let handlers: UInt64 = 0x2_b000
  /// Where the code and the data of an image from elsewhere may lie.
  public static let image: Range<UInt64> = kernelText..<userTextEnd
  /// The page that the guest and the VMM share.
  public static let mailbox: UInt64 = 0x3_0000
  /// The kernel's stack and first table, and user mode's four tables, of the entry `isolated`.
  ///
  /// User mode's first table lies behind the kernel's, so that one bit of CR3 tells them apart, as in Linux.
  static let isolatedStackTop: UInt64 = 0x3_2000
  static let isolatedPML4: UInt64 = 0x3_2000
  static let userPML4: UInt64 = 0x3_3000
  /// The sample records, to the end of memory.
  public static let samples: UInt64 = 0x4_0000

  /// The page after the end of memory, mapped for guests that store to an address without memory.
  public static let device = UInt64(memorySize)

  /// The pages that user mode may use: its text and stack, the mailbox, the samples.
  static func isUser(_ address: UInt64) -> Bool {
    (userText..<userStackTop).contains(address) || (mailbox..<mailbox + UInt64(pageSize)).contains(address)
      || (samples..<device).contains(address)
  }
}

/// The ports that guests write to.
public enum Port {
  /// Written once, when the guest is done or has faulted; the mailbox says which.
  public static let doorbell: UInt8 = 0xf4
  /// Written by guests that exit as part of their work.
  public static let chatter: UInt8 = 0xf5
  /// Written before a sample whose record requests a pause: between two samples, outside the timed part.
  public static let pause: UInt8 = 0xf6
  /// Written by the guest whose exits are each followed by a KVM_RUN that enters no guest.
  public static let interrupt: UInt8 = 0xf7
}
