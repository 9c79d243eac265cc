// Data between instructions.

extension Assembler {
  /// Raw bytes.
  public mutating func bytes(_ content: some Collection<UInt8>, _ comment: String = "") {
    append(.data, "db (\(content.count) bytes)", content, comment)
  }
}
