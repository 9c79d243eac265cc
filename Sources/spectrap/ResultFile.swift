// A file for a result: it appears whole or not at all. What is no plain file (/dev/stdout, a pipe) is written to as it is.
// Facts: rename(2) replaces a file in one step; both names must be in one file system, so the temporary one stands beside.

import Glibc
import SystemPackage

/// A place for a result, made sure of before there is one.
struct ResultFile {
  private let path: FilePath
  private let temporary: FilePath
  /// Whether the path is something that must not be replaced by a file.
  private let isDevice: Bool

  /// Makes sure that a file can be written there.
  ///
  /// Throws `Failure` when it cannot.
  init(_ path: String) throws {
    self.path = FilePath(path)
    temporary = FilePath("\(path).\(getpid()).partial")
    var status = stat()
    // Safe: the path is a string, and the structure this call's own.
    let kind = unsafe stat(path, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
    isDevice = kind != S_IFREG && kind != S_IFDIR
    guard kind != S_IFDIR else { throw Failure(status: .ioError, message: "\(path) is a folder") }
    guard !isDevice else { return }
    try write([], to: temporary)
    discard()
  }

  /// Writes the whole file.
  ///
  /// Throws `Failure` when the system does not take it; then nothing of it is left, and an older file stays as it was.
  func write(_ text: String) throws { try write(text.utf8) }

  /// Writes the whole file.
  ///
  /// Throws `Failure` when the system does not take it; then nothing of it is left, and an older file stays as it was.
  func write(_ bytes: some Sequence<UInt8>) throws {
    guard !isDevice else { return try write(bytes, to: path) }
    do {
      try write(bytes, to: temporary)
      // Safe: both paths are strings, which live for the length of the call.
      guard unsafe rename(temporary.string, path.string) == 0 else {
        throw Failure(status: .ioError, message: "\(path): \(Errno(rawValue: errno))")
      }
    } catch {
      discard()
      throw error
    }
  }

  // Safe: the path is a string, which lives for the length of the call.
  private func discard() { unsafe _ = unlink(temporary.string) }

  private func write(_ bytes: some Sequence<UInt8>, to file: FilePath) throws {
    do {
      let descriptor = try FileDescriptor.open(
        file, .writeOnly, options: isDevice ? [.closeOnExec] : [.create, .truncate, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
      try descriptor.closeAfter {
        _ = try descriptor.writeAll(bytes)
        guard isDevice || fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
      }
    } catch let error as Errno {
      let status: Failure.Status = [.permissionDenied, .notPermitted].contains(error) ? .noPermission : .ioError
      throw Failure(status: status, message: "\(path) cannot be written: \(error)")
    }
  }
}
