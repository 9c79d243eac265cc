// The assembler: it collects instructions, binds labels, and finishes the program. The instructions are methods in the
// extensions, Assembler+*.swift. Encodings: Intel 64 and IA-32 Architectures SDM, volume 2; the 32-bit form of SYSCALL:
// AMD64 Architecture Programmer's Manual, volume 3.

/// Assembles x86 code, one instruction a call, in 16-, 32- and 64-bit mode.
///
/// The methods do not throw: the first error is kept, and `assemble()` throws it. Every method takes a comment for the
/// listing as its last argument.
///
/// Invariants: `here` is `origin` plus the bytes so far; code never moves once it is emitted, so a label's address is
/// final when it is bound.
public struct Assembler: Sendable {
  /// The most bytes that a program may have.
  public static let sizeLimit = 64 << 20

  /// The address of the first byte.
  public let origin: UInt64
  /// The mode that the code from here on runs in.
  public var mode: CodeMode {
    didSet {
      if mode != oldValue { items.append(Item(kind: .directive, offset: bytes.count, text: ".code\(mode.rawValue)")) }
    }
  }
  /// The address of the next byte.
  public var here: UInt64 { origin &+ UInt64(bytes.count) }

  private var bytes: [UInt8] = []
  private var items: [Item] = []
  private var pending: [Pending] = []
  private var labels: [Label: UInt64] = [:]
  private var failure: AssemblyError?

  /// An empty program that will be loaded at `origin`.
  ///
  /// In 16-bit code an address is CS base plus IP, and the base is taken to be a multiple of 64 KiB.
  public init(origin: UInt64, mode: CodeMode) {
    self.origin = origin
    self.mode = mode
  }

  /// Binds a label to the address of the next byte; `assemble()` throws if it is bound already.
  public mutating func bind(_ label: Label, _ comment: String = "") {
    let item = Item(kind: .label, offset: bytes.count, text: "\(label):", comment: comment)
    items.append(item)
    if let first = labels[label] {
      fail(.labelBoundTwice(label, first: first), item)
    } else {
      labels[label] = here
    }
  }

  /// The finished program.
  ///
  /// - Throws: The first error: instructions and operands that do not exist in their mode, in the order of the code;
  ///   then labels that are undefined or out of reach.
  public func assemble() throws(AssemblyError) -> Program {
    if let failure { throw failure }
    var image = bytes
    for entry in pending {
      let item = items[entry.item]
      do {
        let value = try resolve(entry.fixup, item, entry.mode)
        let start = item.offset + entry.fixup.offset
        image.replaceSubrange(start..<start + entry.fixup.bytes, with: value.littleEndianBytes(entry.fixup.bytes))
      } catch { throw self.error(error, item) }
    }
    return Program(origin: origin, bytes: image, labels: labels, listing: items.map { $0.line(origin, image) })
  }
}

extension Assembler {
  /// A line of the listing, before the labels are known.
  private struct Item {
    var kind: ListingLine.Kind
    var offset: Int
    var count = 0
    var text: String
    var comment = ""

    func line(_ origin: UInt64, _ image: [UInt8]) -> ListingLine {
      ListingLine(
        kind: kind, address: origin &+ UInt64(offset), bytes: Array(image[offset..<offset + count]), mnemonic: text,
        comment: comment)
    }
  }

  /// A field that waits for a label.
  private struct Pending {
    var fixup: Fixup
    var item: Int
    var mode: CodeMode
  }

  /// Adds an instruction, or keeps the error.
  mutating func emit(_ instruction: Instruction, _ comment: String) {
    do {
      let encoding = try Encoding(instruction, in: mode)
      append(.instruction, instruction.text, encoding.bytes, comment, fixups: encoding.fixups)
    } catch {
      fail(error, Item(kind: .instruction, offset: bytes.count, text: instruction.text))
    }
  }

  /// Adds bytes and the fields in them that labels complete.
  mutating func append(
    _ kind: ListingLine.Kind, _ text: String, _ content: some Collection<UInt8>, _ comment: String,
    fixups: [Fixup] = []
  ) {
    let item = Item(kind: kind, offset: bytes.count, count: content.count, text: text, comment: comment)
    guard content.count <= Self.sizeLimit - bytes.count else {
      return fail(.programTooLarge(limit: Self.sizeLimit), item)
    }
    pending += fixups.map { Pending(fixup: $0, item: items.count, mode: mode) }
    items.append(item)
    bytes += content
  }

  /// Keeps the error of an instruction that was not encoded.
  mutating func refuse(_ problem: AssemblyError.Problem, _ text: String) {
    fail(problem, Item(kind: .data, offset: bytes.count, text: text))
  }

  private mutating func fail(_ problem: AssemblyError.Problem, _ item: Item) {
    failure = failure ?? error(problem, item)
  }

  private func error(_ problem: AssemblyError.Problem, _ item: Item) -> AssemblyError {
    AssemblyError(problem: problem, instruction: item.text, address: origin &+ UInt64(item.offset))
  }

  /// Whether the whole program, however long, lies below 4 GiB.
  var liesBelow4GiB: Bool { origin <= 1 << 32 - UInt64(Self.sizeLimit) }
}

// Label arithmetic.
extension Assembler {
  /// Whether a jump of `length` bytes from here to a label that is already bound reaches it with 8 bits.
  func reachesBack(_ label: Label, jumpLength length: UInt64) -> Bool {
    guard let target = labels[label] else { return false }
    return distance(from: here, past: length, to: target, mode).map { (-128...127).contains($0) } ?? false
  }

  private func resolve(
    _ fixup: Fixup, _ item: Item, _ mode: CodeMode
  ) throws(AssemblyError.Problem) -> Int64 {
    let bits = fixup.bytes * 8
    switch fixup.kind {
    case .relative(let label):
      let target = try address(of: label) &+ UInt64(bitPattern: fixup.addend)
      let start = origin &+ UInt64(item.offset)
      guard let distance = distance(from: start, past: UInt64(item.count), to: target, mode),
        Immediate(distance, .qword).fits(signedBits: bits)
      else { throw .outOfReach(label, at: target, bits: bits) }
      return distance
    case .address(let label, let signExtended):
      let target = try address(of: label) &+ UInt64(bitPattern: fixup.addend)
      let value = Int64(bitPattern: target)
      let fits =
        signExtended ? Immediate(value, .qword).fits(signedBits: bits) : bits == 64 || target >> UInt64(bits) == 0
      guard fits else { throw .addressTooLarge(label, at: target, bits: bits) }
      return value
    }
  }

  private func address(of label: Label) throws(AssemblyError.Problem) -> UInt64 {
    guard let address = labels[label] else { throw .undefinedLabel(label) }
    return address
  }

  /// The displacement of a branch; nil if the target cannot be reached.
  ///
  /// IP wraps within 64 KiB in 16-bit code, EIP within 4 GiB in 32-bit code (SDM vol. 2, JMP: "tempEIP AND 0000FFFFH").
  private func distance(from start: UInt64, past length: UInt64, to target: UInt64, _ mode: CodeMode) -> Int64? {
    let difference = target &- (start &+ length)
    switch mode {
    case .bits16:
      return start >> 16 == target >> 16 ? Int64(Int16(truncatingIfNeeded: difference)) : nil
    case .bits32:
      return start >> 32 == target >> 32 ? Int64(Int32(truncatingIfNeeded: difference)) : nil
    case .bits64: return Int64(bitPattern: difference)
    }
  }
}
