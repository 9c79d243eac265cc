// A file for a result: it appears whole or not at all. What is no plain file (/dev/stdout, a pipe) is written to as it is.
// Facts: rename(2) replaces a file in one step; both names must be in one file system, so the temporary one stands beside.
// posix_fallocate(3) takes space that no other file gets; unlink(2): what is removed while it is open keeps its space until it is
// closed; setrlimit(2): SIGXFSZ.

import Glibc
import SystemPackage

/// A place for a result, made sure of before there is one.
struct ResultFile {
  private let path: FilePath
  private let temporary: FilePath
  /// Whether the path is something that must not be replaced by a file.
  private let isDevice: Bool
  /// Space for the result until it is written; nil for a device.
  private let reservation: Reservation?

  /// Enough for a result without raw samples, in bytes.
  private static let small = 64 << 10

  /// Makes sure that a file can be written there, of the size of most results.
  ///
  /// Throws `Failure` when it cannot.
  init(_ path: String) throws { try self.init(path, reserving: Self.small) }

  /// Makes sure that a file of so many bytes can be written there, where its file system can tell.
  ///
  /// Throws `Failure` when it cannot.
  init(_ path: String, reserving bytes: Int) throws {
    self.path = FilePath(path)
    temporary = FilePath("\(path).\(getpid()).partial")
    let kind = Self.kind(of: path)
    isDevice = kind != S_IFREG && kind != S_IFDIR
    guard kind != S_IFDIR else { throw Failure(status: .ioError, message: "\(path) is a folder") }
    do {
      reservation = isDevice ? nil : try Reservation(of: bytes, at: temporary)
    } catch let error as Errno {
      throw Self.failure(error, self.path)
    }
  }

  /// What stands at a path; a plain file where nothing does.
  private static func kind(of path: String) -> mode_t {
    var status = stat()
    // Safe: the path is a string, and the structure this call's own.
    return unsafe stat(path, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
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
    reservation?.release()
    do {
      try write(bytes, to: temporary)
      // Safe: both paths are strings, which live for the length of the call.
      guard unsafe rename(temporary.string, path.string) == 0 else {
        throw Failure(status: .ioError, message: "\(path): \(Errno(rawValue: errno))")
      }
    } catch {
      // Safe: the path is a string, which lives for the length of the call.
      unsafe _ = unlink(temporary.string)
      throw error
    }
  }

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
      throw Self.failure(error, path)
    }
  }

  private static func failure(_ error: Errno, _ path: FilePath) -> Failure {
    let status: Failure.Status = [.permissionDenied, .notPermitted].contains(error) ? .noPermission : .ioError
    return Failure(status: status, message: "\(path) cannot be written: \(error)")
  }
}

extension ResultFile {
  /// The first two of these options that name one file, so that the later would replace what the former wrote; nil for none.
  ///
  /// What is no plain file takes any number.
  static func clash(of outputs: [(option: String, path: String?)]) -> (String, String)? {
    var options: [Place: String] = [:]
    for output in outputs {
      guard let path = output.path, kind(of: path) == S_IFREG, let place = Place(path) else { continue }
      if let other = options.updateValue(output.option, forKey: place) { return (other, output.option) }
    }
    return nil
  }

  /// A name in a folder, however the folder is called.
  private struct Place: Hashable {
    let device: dev_t
    let folder: ino_t
    let name: FilePath.Component

    /// Nil where there is no such folder.
    init?(_ text: String) {
      let path = FilePath(text)
      let folder = path.removingLastComponent()
      var status = stat()
      // Safe: the path is a string, and the structure this call's own.
      guard let name = path.lastComponent, unsafe stat(folder.isEmpty ? "." : folder.string, &status) == 0 else {
        return nil
      }
      (device, self.folder, self.name) = (status.st_dev, status.st_ino, name)
    }
  }
}

/// Space on a disk, held by a file without a name: it is free again when it is released, at the latest when the program ends.
private final class Reservation {
  private var descriptor: FileDescriptor?

  /// Makes a file at this path, takes its name away, and takes so many bytes for it where the file system can.
  ///
  /// Throws `Errno` when the file cannot be made, or there is no space.
  init(of bytes: Int, at path: FilePath) throws {
    let descriptor = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: [.ownerReadWrite])
    self.descriptor = descriptor
    // Safe: the path is a string, which lives for the length of the call.
    unsafe _ = unlink(path.string)
    // A user's own limit is an error like any other, not the end of the program.
    _ = signal(SIGXFSZ, SIG_IGN)
    while true {
      switch posix_fallocate(descriptor.rawValue, 0, bytes) {
      case 0, EOPNOTSUPP, EINVAL, ENOSYS: return
      case EINTR: continue
      case let error: throw Errno(rawValue: error)
      }
    }
  }

  deinit { release() }

  /// Gives the space back.
  func release() {
    try? descriptor?.close()
    descriptor = nil
  }
}
