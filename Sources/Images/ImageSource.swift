// The source of the bytes of a guest's file: only the needed parts are read.

/// A file's bytes; they are hostile input.
public protocol ImageSource {
  /// The length in bytes.
  var count: Int { get }
  /// The bytes of a range that lies within the file.
  ///
  /// - Throws: `ImageError` when they cannot be read, or the file has become shorter.
  func bytes(_ range: Range<Int>) throws(ImageError) -> [UInt8]
}

extension [UInt8]: ImageSource {
  public func bytes(_ range: Range<Int>) throws(ImageError) -> [UInt8] { Array(self[range]) }
}

/// Why a file cannot be booted, in one sentence without the file's name.
public struct ImageError: Error, Equatable, CustomStringConvertible {
  public let description: String

  /// An error that says this.
  public init(_ description: String) { self.description = description }
}

/// A part of a file in memory, from which little-endian numbers are read with bounds checks.
struct Block {
  private let bytes: [UInt8]
  /// Its name in messages.
  private let name: String

  /// Reads `count` bytes from `start` on.
  ///
  /// - Throws: `ImageError` when the file does not have them.
  init(_ source: some ImageSource, at start: Int, count: Int, _ name: String) throws(ImageError) {
    guard start >= 0, count >= 0, start <= source.count, count <= source.count - start else {
      throw ImageError("the file ends within its \(name): it is truncated, or damaged")
    }
    bytes = try source.bytes(start..<start + count)
    guard bytes.count == count else { throw ImageError("the file became shorter while it was read") }
    self.name = name
  }

  /// The number at this offset.
  ///
  /// - Throws: `ImageError` when it does not lie within the block.
  func number<T: FixedWidthInteger & UnsignedInteger>(at offset: Int, as: T.Type = T.self) throws(ImageError) -> T {
    let size = MemoryLayout<T>.size
    guard offset >= 0, offset <= bytes.count - size else {
      throw ImageError("its \(name) has no \(size) bytes at offset \(offset)")
    }
    return (0..<size).reduce(0) { $0 | T(truncatingIfNeeded: bytes[offset + $1]) << T($1 * 8) }
  }

  /// The bytes of a range.
  ///
  /// - Throws: `ImageError` when they do not lie within the block.
  func slice(_ start: Int, _ count: Int) throws(ImageError) -> [UInt8] {
    guard start >= 0, count >= 0, start <= bytes.count, count <= bytes.count - start else {
      throw ImageError("its \(name) has no \(count) bytes at offset \(start)")
    }
    return Array(bytes[start..<start + count])
  }
}

extension FixedWidthInteger {
  /// The bytes, the lowest first.
  package var littleEndianBytes: [UInt8] {
    (0..<MemoryLayout<Self>.size).map { UInt8(truncatingIfNeeded: self >> Self($0 * 8)) }
  }
}
