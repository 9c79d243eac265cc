// Owned file descriptors, and calls about names in an open folder.
// Facts: open(2), readlink(2), unlink(2).

import CHost
import Glibc
import Hypervisor
import SystemPackage

/// An open file, closed with its last reference.
final class OpenFile {
  let descriptor: FileDescriptor

  /// Takes over a descriptor.
  init(owning descriptor: FileDescriptor) { self.descriptor = descriptor }

  deinit { try? descriptor.close() }

  /// Opens a path relative to a folder, or to the working directory; `flags` are those of open(2).
  ///
  /// - Throws: `Errno`.
  convenience init(
    _ path: FilePath, in folder: OpenFile? = nil, flags: CInt, permissions: FilePermissions = []
  ) throws(Errno) {
    while true {
      // Safe: the path is zero-terminated and lives as long as the call.
      let result = unsafe path.withPlatformString {
        unsafe openat(folder?.descriptor.rawValue ?? AT_FDCWD, $0, flags | O_CLOEXEC, permissions.rawValue)
      }
      if result >= 0 {
        self.init(owning: FileDescriptor(rawValue: result))
        return
      }
      guard errno == EINTR else { throw Errno(rawValue: errno) }
    }
  }

  /// The file's status, by fstat(2).
  ///
  /// - Throws: `Errno`.
  var status: Stat { get throws(Errno) { try Stat(descriptor) } }
}

extension Failure {
  /// The failure of a call about a file; `what` says what could not be done.
  init(_ error: Errno, _ what: String, status: Status) {
    let status: Status =
      switch error {
      case .permissionDenied, .notPermitted: .noPermission
      case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory: .osError
      default: status
      }
    self.init(status: status, message: "\(what): \(error)")
  }
}

/// An open folder.
///
/// Names in it stay valid when the folder itself is renamed.
struct Folder {
  let file: OpenFile
  /// The path for messages.
  let path: FilePath

  /// Opens the folder at a path; the folder need not be readable.
  ///
  /// - Throws: `Errno`.
  init(_ path: FilePath, in folder: Folder? = nil) throws(Errno) {
    file = try OpenFile(path.isEmpty ? "." : path, in: folder?.file, flags: chost_o_path | O_DIRECTORY)
    self.path = folder.map { $0.path.pushing(path) } ?? path
  }

  /// The status of a name, links not followed; nil where nothing has this name.
  ///
  /// - Throws: `Errno`.
  func status(of name: FilePath.Component) throws(Errno) -> Stat? {
    do throws(Errno) {
      return try Stat(FilePath(root: nil, [name]), relativeTo: file.descriptor, flags: .symlinkNoFollow)
    } catch {
      if error == .noSuchFileOrDirectory { return nil }
      throw error
    }
  }

  /// The target of a link.
  ///
  /// - Throws: `Errno`.
  func target(ofLink name: FilePath.Component) throws(Errno) -> FilePath {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    // Safe: `buffer.count` is the buffer's length, and both live as long as the call.
    let count = unsafe buffer.withUnsafeMutableBytes { buffer in
      unsafe name.withPlatformString {
        unsafe readlinkat(
          file.descriptor.rawValue, $0, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
      }
    }
    guard count > 0 else { throw count == 0 ? .noSuchFileOrDirectory : Errno(rawValue: errno) }
    return FilePath(bytes: buffer.prefix(count))
  }

  /// Removes a name, if that is possible.
  func unlink(_ name: FilePath.Component) {
    // Safe: the name is zero-terminated and lives as long as the call.
    unsafe name.withPlatformString { unsafe _ = unlinkat(file.descriptor.rawValue, $0, 0) }
  }
}
