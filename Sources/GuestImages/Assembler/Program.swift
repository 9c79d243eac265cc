// The assembler's result: bytes to load, addresses of labels, and a listing.

import Registers

/// An assembled program.
public struct Program: Hashable, Sendable {
  /// The address that the first byte must be loaded at.
  public let origin: UInt64
  /// The bytes to load.
  public let bytes: [UInt8]
  /// The address of every label.
  public let labels: [Label: UInt64]
  /// The program line by line; labels have lines of their own.
  public let listing: [ListingLine]

  /// The listing as text: `address  bytes  mnemonic  ; comment`, in columns.
  public func renderListing() -> String {
    let digits = listing.allSatisfy { $0.address >> 32 == 0 } ? 8 : 16
    let width = listing.map(\.shownBytes.count).max() ?? 0
    return listing.map { $0.render(addressDigits: digits, bytesWidth: width) + "\n" }.joined()
  }
}

/// A line of the listing.
public struct ListingLine: Hashable, Sendable {
  /// The kind of a line.
  public enum Kind: Hashable, Sendable {
    case label, instruction, data, directive
  }

  public let kind: Kind
  /// The address of the first byte.
  public let address: UInt64
  /// The bytes; none for a label or a directive.
  public let bytes: [UInt8]
  /// The instruction in Intel's syntax, or `name:` for a label.
  public let mnemonic: String
  /// The author's comment, may be empty.
  public let comment: String

  /// How many bytes of data a line shows; instructions are shown whole.
  private static let shownData = 8
  /// The column that comments start at, counted from the mnemonic.
  private static let commentColumn = 36

  /// The bytes in hexadecimal, long data cut.
  var shownBytes: String {
    let shown = kind == .data ? bytes.prefix(Self.shownData) : bytes[...]
    return shown.map { $0.hexDigits(2) }.joined(separator: " ")
      + (shown.count < bytes.count ? " .." : "")
  }

  func render(addressDigits: Int, bytesWidth: Int) -> String {
    let place = address.hexDigits(addressDigits)
    let indent = kind == .instruction || kind == .data ? "  " : ""
    let code = indent + mnemonic
    let body = comment.isEmpty ? code : code.padded(right: Self.commentColumn) + "  ; " + comment
    return "\(place)  \(shownBytes.padded(right: bytesWidth))  \(body)"
  }
}

extension String {
  fileprivate func padded(right width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
