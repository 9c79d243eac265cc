// A descriptor and its owner, and the few calls about names in an open folder.
// Facts: open(2), readlink(2), unlink(2).

import CHost
import Glibc
import Hypervisor
import SystemPackage

/// A file that is open; closed when the last owner goes.
final class OpenFile {
  let descriptor: FileDescriptor

  /// Takes over a descriptor.
  init(owning descriptor: FileDescriptor) { self.descriptor = descriptor }

  deinit { try? descriptor.close() }

  /// Opens a path from a folder on, from the working directory where there is none; `flags` are those of open(2).
  ///
  /// - Throws: `Errno`.
  convenience init(
    _ path: FilePath, in folder: OpenFile? = nil, flags: CInt, permissions: FilePermissions = []
  ) throws(Errno) {
    while true {
      // Safe: the path is valid for the length of the call, and ends with a zero.
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

  /// What this file is.
  ///
  /// - Throws: `Errno`.
  var status: Stat { get throws(Errno) { try Stat(descriptor) } }
}

extension Failure {
  /// The failure of a call about a file: `what` could not be done.
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

/// A folder that is open, so that names in it mean the same from now on, whatever becomes of its own.
struct Folder {
  let file: OpenFile
  /// How it was called, for messages.
  let path: FilePath

  /// Opens the folder at a path; it need not be readable.
  ///
  /// - Throws: `Errno`.
  init(_ path: FilePath, in folder: Folder? = nil) throws(Errno) {
    file = try OpenFile(path.isEmpty ? "." : path, in: folder?.file, flags: chost_o_path | O_DIRECTORY)
    self.path = folder.map { $0.path.pushing(path) } ?? path
  }

  /// What stands at a name, not followed where it is a link; nil where nothing does.
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

  /// Where a link leads to.
  ///
  /// - Throws: `Errno`.
  func target(ofLink name: FilePath.Component) throws(Errno) -> FilePath {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    // Safe: the buffer is as long as is said, and both live for the length of the call.
    let count = unsafe buffer.withUnsafeMutableBytes { buffer in
      unsafe name.withPlatformString {
        unsafe readlinkat(
          file.descriptor.rawValue, $0, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
      }
    }
    guard count > 0 else { throw count == 0 ? .noSuchFileOrDirectory : Errno(rawValue: errno) }
    return FilePath(bytes: buffer.prefix(count))
  }

  /// Takes a name away.
  func unlink(_ name: FilePath.Component) {
    // Safe: the name is valid for the length of the call. What cannot be taken away stays.
    unsafe name.withPlatformString { unsafe _ = unlinkat(file.descriptor.rawValue, $0, 0) }
  }
}
