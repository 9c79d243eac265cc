// A file that a test writes, or has written, removed with the value, or at the end of the tests.

import Glibc
import Synchronization

/// An empty file in the folder for temporary ones.
final class TemporaryFile: Sendable {
  let path: String

  /// Makes one with these permissions.
  ///
  /// Throws `ChildError` when /tmp takes none.
  init(mode: mode_t = 0o600) throws {
    var template = Array("/tmp/spectrap-test-XXXXXX".utf8CString)
    // Safe: the template ends with a zero, and is changed in place.
    let descriptor = unsafe mkstemp(&template)
    guard descriptor >= 0 else { throw ChildError(description: "mkstemp: \(unsafe String(cString: strerror(errno)))") }
    fchmod(descriptor, mode)
    close(descriptor)
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    self.path = path
    _ = Self.removeAtExit
    Self.present.withLock { _ = $0.insert(path) }
  }

  deinit {
    unsafe unlink(path)
    Self.present.withLock { _ = $0.remove(path) }
  }

  private static let present = Mutex<Set<String>>([])
  /// Static values are never freed.
  private static let removeAtExit: Void = {
    atexit { TemporaryFile.present.withLock { for path in $0 { unsafe unlink(path) } } }
  }()

  /// What stands in it.
  var text: String { Self.text(of: path) ?? "" }

  /// What stands in a file, nil when it cannot be opened.
  static func text(of path: String) -> String? {
    guard let file = unsafe fopen(path, "r") else { return nil }
    defer { unsafe fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      // Safe: the buffer is as long as is said.
      let count = unsafe fread(&buffer, 1, buffer.count, file)
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += buffer[..<count]
    }
  }
}
