// Reads files, pipes and devices, each up to a limit; `-` is standard input.
// Facts: open(2), read(2).

import ArgumentParser
import Glibc
import SystemPackage

/// A file, pipe or device that is read from its beginning.
struct Input {
  /// The name for messages.
  let name: String
  private let descriptor: FileDescriptor
  /// Nil for a descriptor of the program's own, which stays open.
  private let file: OpenFile?

  /// Opens what stands at a path.
  ///
  /// - Throws: `Failure` when it cannot be opened.
  init(_ path: FilePath) throws {
    name = path == "-" ? "standard input" : "\(path)"
    do throws(Errno) {
      if case .descriptor(let own)? = try? Place(path, standard: .standardInput) {
        (descriptor, file) = (own, nil)
      } else {
        let opened = try OpenFile(path, flags: O_RDONLY | O_NOCTTY)
        (descriptor, file) = (opened.descriptor, opened)
      }
    } catch { throw Failure(error, "\(name) cannot be read", status: .noInput) }
  }

  /// Reads up to `count` bytes; fewer only at the end of the file.
  ///
  /// - Throws: `Failure` when it cannot be read.
  func read(_ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    do {
      while bytes.count < count {
        let part = unsafe try [UInt8](unsafeUninitializedCapacity: min(count - bytes.count, 1 << 20)) {
          buffer, filled in
          // Safe: `read` fills at most the buffer, and `filled` is how many bytes it has read.
          filled = try unsafe descriptor.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
        if part.isEmpty { break }
        bytes += part
      }
    } catch let error as Errno { throw Failure(error, "\(name) cannot be read", status: .noInput) }
    return bytes
  }
}

extension Input {
  /// Checks that at most one path is standard input, which can be read only once.
  ///
  /// - Throws: `ValidationError`.
  static func check(_ paths: [FilePath]) throws {
    guard paths.count(where: { $0 == "-" }) <= 1 else {
      throw ValidationError("- is standard input, which can be read once; name a file for the others")
    }
  }
}
