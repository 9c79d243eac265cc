// A guest's file, or bytes from a pipe. A file is read into guest memory without a copy in between. It is not mapped,
// because another process may truncate it meanwhile.

import Hypervisor
public import Images
public import SystemPackage

/// The bytes of a kernel or an initrd.
public struct GuestFile: ImageSource, Sendable {
  private enum Content: Sendable {
    case file(FileDescriptor)
    case bytes([UInt8])
  }

  private let content: Content
  /// The length in bytes.
  public let count: Int

  /// A regular file of this length, open for reading as long as the value is used.
  public init(_ file: FileDescriptor, count: Int) {
    content = .file(file)
    self.count = count
  }

  /// Bytes that were already read.
  public init(_ bytes: [UInt8]) {
    content = .bytes(bytes)
    count = bytes.count
  }

  public func bytes(_ range: Range<Int>) throws(ImageError) -> [UInt8] {
    switch content {
    case .bytes(let bytes): return Array(bytes[range])
    case .file(let file):
      do {
        return try unsafe [UInt8](unsafeUninitializedCapacity: range.count) { buffer, filled in
          while filled < range.count {
            // Safe: `rest` lies within the buffer, and `filled` counts only the bytes that were read.
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
            let part = try unsafe file.read(fromAbsoluteOffset: Int64(range.lowerBound + filled), into: rest)
            if part == 0 { return }
            filled += part
          }
        }
      } catch { throw ImageError("it cannot be read: \(error)") }
    }
  }

  /// Loads a range of the file into a VM's memory.
  ///
  /// - Throws: `GuestFileError` or `GuestMemoryError`.
  func load(_ range: Range<Int>, into vm: inout VirtualMachine, at address: GuestPhysicalAddress) throws {
    guard !range.isEmpty else { return }
    switch content {
    case .bytes(let bytes): try vm.write(Array(bytes[range]), at: address)
    case .file(let file): try vm.load(range.count, of: file, from: Int64(range.lowerBound), at: address)
    }
  }
}
