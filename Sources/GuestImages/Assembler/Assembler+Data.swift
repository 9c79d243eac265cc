// Data between instructions: constants, addresses, raw bytes, fill.

extension Assembler {
  /// One byte.
  public mutating func byte(_ value: UInt8, _ comment: String = "") { data("db", value, 1, comment) }

  /// Two bytes.
  public mutating func word(_ value: UInt16, _ comment: String = "") { data("dw", value, 2, comment) }

  /// Four bytes.
  public mutating func dword(_ value: UInt32, _ comment: String = "") { data("dd", value, 4, comment) }

  /// Eight bytes.
  public mutating func qword(_ value: UInt64, _ comment: String = "") { data("dq", value, 8, comment) }

  /// A label's address in two bytes; `assemble()` throws if it does not fit.
  public mutating func word(_ label: Label, _ comment: String = "") { data("dw", label, 2, comment) }

  /// A label's address in four bytes; `assemble()` throws if it does not fit.
  public mutating func dword(_ label: Label, _ comment: String = "") { data("dd", label, 4, comment) }

  /// A label's address in eight bytes.
  public mutating func qword(_ label: Label, _ comment: String = "") { data("dq", label, 8, comment) }

  /// Raw bytes.
  public mutating func bytes(_ content: some Collection<UInt8>, _ comment: String = "") {
    append(.data, "db (\(content.count) bytes)", content, comment)
  }

  /// So many zero bytes; `assemble()` throws if the count is negative.
  public mutating func zero(_ count: Int, _ comment: String = "") {
    let text = "zero \(count)"
    guard count >= 0 else { return refuse(.valueOutOfRange("a count cannot be negative"), text) }
    append(.data, text, repeatElement(0, count: count), comment)
  }

  /// Fills up to the next multiple of `boundary`; `assemble()` throws unless it is a power of two.
  public mutating func align(_ boundary: Int, fill: UInt8 = 0, _ comment: String = "") {
    let text = "align \(boundary)"
    guard boundary > 0, boundary & (boundary - 1) == 0 else {
      return refuse(.valueOutOfRange("an alignment must be a power of two"), text)
    }
    let missing = Int((0 &- here) & UInt64(boundary - 1))
    append(.data, text, repeatElement(fill, count: missing), comment)
  }

  private mutating func data(_ directive: String, _ value: some FixedWidthInteger, _ count: Int, _ comment: String) {
    append(.data, "\(directive) 0x\(String(value, radix: 16))", value.littleEndianBytes(count), comment)
  }

  private mutating func data(_ directive: String, _ label: Label, _ count: Int, _ comment: String) {
    let field = Fixup(kind: .address(label, signExtended: false), offset: 0, bytes: count)
    append(.data, "\(directive) \(label)", repeatElement(0, count: count), comment, fixups: [field])
  }
}
