// Workloads that are not ours: code of an embedder's, or the promise of an image that was made elsewhere. What one does
// is counted, and held against what it says here, as with every other.

public import Registers

extension Workload {
  /// A workload with code of your own.
  ///
  /// `boot` runs once, before user mode; it may change RAX, RBX, RCX and RDX, and leave something in R12 and R14 for
  /// `body`. `body` runs at each kernel entry; it may change RAX, RCX and RDX, and R8 under the entry `none`. Their
  /// labels must be none of the kernel's. `perIteration` and `atBoot` say what they do that can be counted: a run that
  /// counts something else is no result. `writtenBits` are the bits that it sets in the MSR: a guest that is not told
  /// of them is refused.
  ///
  /// - Throws: `GuestImageError.name` when it cannot be called so.
  public init(
    named name: String, summary: String = "", entries: [Entry] = Entry.allCases, msr: MSR = .specCtrl,
    writtenBits: UInt64 = 0, atBoot: Actions = Actions(), perIteration: Actions, usesStack: Bool = false,
    boot: @escaping @Sendable (inout Assembler) -> Void = { _ in },
    body: @escaping @Sendable (inout Assembler) -> Void
  ) throws(GuestImageError) {
    try self.init(
      named: name, summary: summary, entries: entries, msr: msr, writtenBits: writtenBits, atBoot: atBoot,
      perIteration: perIteration)
    self.boot = boot
    self.body = body
    needsStack = usesStack
  }

  /// What an image that was made elsewhere promises to do, which has its code with it.
  ///
  /// - Throws: `GuestImageError.name` when it cannot be called so.
  public init(
    named name: String, summary: String = "", entries: [Entry], msr: MSR = .specCtrl, writtenBits: UInt64 = 0,
    atBoot: Actions = Actions(), perIteration: Actions
  ) throws(GuestImageError) {
    self.init(named: try Self.checked(name), summary: summary, entries: entries, msr: msr)
    self.writtenBits = writtenBits
    self.atBoot = atBoot
    self.perIteration = perIteration
  }

  /// A name that stands in results and in the ids of cells, and is no other workload's.
  private static func checked(_ name: String) throws(GuestImageError) -> Known<Name> {
    let isWord = name.utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x41...0x5a).contains($0 & ~0x20) || [0x2d, 0x2e, 0x5f].contains($0)
    }
    guard isWord, (1...64).contains(name.utf8.count) else {
      throw .name(name.utf8.count > 64 ? "\(name.prefix(64))…" : name, "give 1 to 64 letters, digits, dots and dashes")
    }
    let known = Known<Name>(name)
    guard known.value == nil else { throw .name(name, "this is the name of one of Spectrap's own workloads") }
    return known
  }
}
