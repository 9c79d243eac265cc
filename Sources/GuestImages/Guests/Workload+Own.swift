// Workloads of users: the code of an embedding program, or the declared actions of a foreign image. The actions are
// counted and compared with the declared ones, as for every workload.

public import Registers

extension Workload {
  /// A workload with code of your own.
  ///
  /// `boot` runs once, before user mode; it may change RAX, RBX, RCX and RDX, and leave something in R12 and R14 for
  /// `body`. `body` runs at each kernel entry; it may change RAX, RCX and RDX, and R8 under the entry `none`. Their
  /// labels must not be the kernel's. `perIteration` and `atBoot` declare the countable actions: a run with other
  /// counts fails. `writtenBits` are the bits that it sets in the MSR: a guest whose CPUID lacks them is refused.
  ///
  /// - Throws: `GuestImageError.name` if the name is not valid.
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

  /// The declared actions of a foreign image, which brings its own code.
  ///
  /// - Throws: `GuestImageError.name` if the name is not valid.
  public init(
    named name: String, summary: String = "", entries: [Entry], msr: MSR = .specCtrl, writtenBits: UInt64 = 0,
    atBoot: Actions = Actions(), perIteration: Actions
  ) throws(GuestImageError) {
    self.init(named: try Self.checked(name), summary: summary, entries: entries, msr: msr)
    self.writtenBits = writtenBits
    self.atBoot = atBoot
    self.perIteration = perIteration
  }

  /// Checks a name for results and the ids of cells; it must not be the name of another workload.
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
