// The files of `spectrap boot`: kernels and results. All are opened before the sandbox is entered.

import Boot
import Glibc
import Rendering
import SystemPackage

/// An image or an initrd, which stays open as long as the value lives.
struct OpenedGuestFile {
  let content: GuestFile
  private let file: OpenFile?

  /// More than any kernel or initrd that fits into a guest.
  private static let limit = 3 << 30

  /// Opens a file; anything but a regular file is read to its end.
  ///
  /// - Throws: `Failure` when it cannot be read.
  init(_ path: FilePath) throws {
    if path != "-", let opened = try? OpenFile(path, flags: O_RDONLY | O_NOCTTY), let status = try? opened.status,
      status.type == .regular
    {
      (file, content) = (opened, GuestFile(opened.descriptor, count: Int(status.size)))
    } else {
      file = nil
      let bytes = try Input(path).read(Self.limit)
      guard bytes.count < Self.limit else {
        throw Failure(status: .dataError, message: "\(path): it is larger than any guest's memory")
      }
      content = GuestFile(bytes)
    }
  }
}

/// A file that is written while guests run.
///
/// It is opened early, because the sandbox allows no opening.
struct BootOutput {
  private let name: String
  private let file: OpenFile?
  var descriptor: FileDescriptor { file?.descriptor ?? .standardOutput }

  /// Opens the file, empty; `-` is standard output, which is then reserved for this result.
  ///
  /// - Throws: `Failure` when it cannot be written.
  init(_ path: FilePath) throws {
    name = path == "-" ? "standard output" : "\(path)"
    do throws(Errno) {
      if path == "-" {
        file = nil
        Output.takeStandardOutput()
      } else {
        file = try OpenFile(
          path, flags: O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, permissions: FilePermissions(rawValue: 0o666))
      }
      try (file?.descriptor ?? .standardOutput).checkForWriting()
    } catch { throw Failure(error, writing: name) }
  }

  /// Writes a value as JSON.
  ///
  /// - Throws: `Failure` when the file does not take it.
  func write(_ value: some Encodable) throws {
    let text = try value.jsonText()
    do throws(Errno) { try descriptor.writeWhole(Array(text.utf8)) } catch { throw Failure(error, writing: name) }
  }
}
