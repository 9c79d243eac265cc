// Reading a file into guest memory without a copy in between.
// Facts: pread(2).

public import SystemPackage

extension VirtualMachine {
  /// Reads `count` bytes of a file, from `offset` on, into guest memory.
  ///
  /// - Throws: `GuestMemoryError.notMapped` when no single slot holds the whole range, and `GuestFileError` when the
  ///   file cannot be read or ends before.
  public mutating func load(
    _ count: Int, of file: FileDescriptor, from offset: Int64, at address: GuestPhysicalAddress
  ) throws {
    for index in slots.indices {
      guard let done = try slots[index]?.read(count, of: file, from: offset, at: address) else { continue }
      guard done == count else { throw GuestFileError.ended(missing: count - done) }
      return
    }
    throw GuestMemoryError.notMapped(GuestPhysicalRange(start: address, count: count))
  }
}

/// A file that could not be read into guest memory.
public enum GuestFileError: Error, Equatable, CustomStringConvertible {
  /// The file ended early.
  case ended(missing: Int)
  /// It could not be read.
  case unreadable(Errno)

  public var description: String {
    switch self {
    case .ended(let missing): "the file became shorter while it was read: \(missing) bytes are missing"
    case .unreadable(let error): "the file cannot be read: \(error)"
    }
  }
}

extension Mapping {
  /// Reads up to `count` bytes of a file to this offset, fewer where the file ends; all must fit.
  ///
  /// - Throws: `GuestFileError` when the file cannot be read.
  mutating func read(_ count: Int, of file: FileDescriptor, from start: Int64, at offset: Int) throws(GuestFileError)
    -> Int
  {
    var memory = mutableBytes
    var done = 0
    do {
      try unsafe memory.withUnsafeMutableBytes { buffer in
        while done < count {
          // Safe: the slice of the buffer checks its bounds.
          let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[(offset + done)..<(offset + count)])
          let part = try unsafe file.read(fromAbsoluteOffset: start + Int64(done), into: rest)
          guard part > 0 else { return }
          done += part
        }
      }
    } catch { throw .unreadable(error as? Errno ?? .ioError) }
    return done
  }
}
