// A file that appears whole under its name, or not at all. Until then it has no name, so nobody can replace it, and it
// vanishes if the program ends early. Where the file system or the kernel has no nameless files it gets a random name.
// Facts: open(2), O_TMPFILE and O_EXCL; linkat(2), AT_EMPTY_PATH (without CAP_DAC_READ_SEARCH since Linux 6.10) and
// /proc/self/fd; rename(2) replaces a file in one step; posix_fallocate(3) takes space that no other file gets.

import CHost
import Glibc
import SystemPackage

final class NewFile {
  private let folder: Folder
  private let file: OpenFile
  /// The random name; nil while the file has none.
  private var temporary: FilePath.Component?
  /// Whether the file is whole.
  ///
  /// A whole file is kept under its random name if it cannot get its own.
  private var isWhole = false

  /// Makes a file in the folder in which it will appear.
  ///
  /// - Throws: `Errno`.
  init(in folder: Folder, permissions: FilePermissions) throws(Errno) {
    self.folder = folder
    if let file = try Self.nameless(in: folder, permissions) {
      self.file = file
    } else {
      let name = FilePath.Component.random
      let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
      file = try OpenFile(FilePath(root: nil, [name]), in: folder.file, flags: flags, permissions: permissions)
      temporary = name
    }
  }

  /// A file without a name that can get one later; nil where that is not supported.
  private static func nameless(in folder: Folder, _ permissions: FilePermissions) throws(Errno) -> OpenFile? {
    do throws(Errno) {
      let file = try OpenFile(".", in: folder.file, flags: chost_o_tmpfile | O_WRONLY, permissions: permissions)
      return canLink(file) ? file : nil
    } catch {
      // Kernels and file systems that do not know the flag try to open the folder itself.
      if [.notSupportedOnSocket, .isDirectory, .invalidArgument].contains(error) { return nil }
      throw error
    }
  }

  deinit { if let temporary, !isWhole { folder.unlink(temporary) } }

  /// Allocates space for `count` bytes, where the file system can.
  ///
  /// - Throws: `Errno` when there is not enough space.
  func reserve(_ count: Int) throws(Errno) {
    while true {
      switch posix_fallocate(file.descriptor.rawValue, 0, count) {
      case 0, EOPNOTSUPP, EINVAL, ENOSYS: return
      case EINTR: continue
      case let error: throw Errno(rawValue: error)
      }
    }
  }

  /// Copies the owner and the mode of another file.
  ///
  /// - Throws: `Errno` when that is not permitted.
  func copyOwnerAndMode(of other: Stat) throws(Errno) {
    let own = try file.status
    if own.userID != other.userID || own.groupID != other.groupID {
      guard fchown(file.descriptor.rawValue, other.userID.rawValue, other.groupID.rawValue) == 0 else {
        throw Errno(rawValue: errno)
      }
    }
    let mode = other.permissions.intersection(FilePermissions(rawValue: 0o777))
    guard fchmod(file.descriptor.rawValue, mode.rawValue) == 0 else { throw Errno(rawValue: errno) }
  }

  /// Writes the whole content.
  ///
  /// - Throws: `Errno`; the file then vanishes with this object.
  func write(_ bytes: some Sequence<UInt8>) throws {
    try file.replaceContents(by: bytes)
    isWhole = true
  }

  /// Gives the file its name, and replaces a file of that name.
  ///
  /// - Throws: `Errno`; the file may then have a random name in its folder.
  func appear(as name: FilePath.Component) throws(Errno) {
    if temporary == nil {
      do throws(Errno) { return try link(as: name) } catch { guard error == .fileExists else { throw error } }
    }
    let temporary = try appear()
    // Safe: both names are zero-terminated and live as long as the call.
    let result = unsafe temporary.withPlatformString { from in
      unsafe name.withPlatformString { to in
        unsafe renameat(folder.file.descriptor.rawValue, from, folder.file.descriptor.rawValue, to)
      }
    }
    guard result == 0 else { throw Errno(rawValue: errno) }
    self.temporary = nil
  }

  /// Gives the file a random name, and returns it.
  ///
  /// - Throws: `Errno`.
  @discardableResult
  func appear() throws(Errno) -> FilePath.Component {
    if let temporary { return temporary }
    let name = FilePath.Component.random
    try link(as: name)
    temporary = name
    return name
  }

  /// The random name of a whole file; nil when the file is incomplete or cannot be named.
  var nameIfWhole: FilePath.Component? { isWhole ? try? appear() : nil }

  private func link(as name: FilePath.Component) throws(Errno) {
    let error = Self.link(file, in: folder, as: name)
    if error != 0 { throw Errno(rawValue: error) }
  }

  /// Whether a file without a name can get one here: linkat(2) checks the permission before it finds that the name
  /// exists.
  private static func canLink(_ file: OpenFile) -> Bool { link(file, in: nil, as: ".") == EEXIST }

  /// Gives the file a name in one of two ways; returns 0 or an error number.
  private static func link(_ file: OpenFile, in folder: Folder?, as name: FilePath.Component) -> CInt {
    let descriptor = file.descriptor.rawValue
    let folder = folder?.file.descriptor.rawValue ?? AT_FDCWD
    // Safe: every string is zero-terminated and lives as long as the call.
    return unsafe name.withPlatformString { name in
      if unsafe linkat(descriptor, "", folder, name, chost_at_empty_path) == 0 { return 0 }
      if errno != ENOENT { return errno }
      let magic = "/proc/self/fd/\(descriptor)"
      return unsafe linkat(AT_FDCWD, magic, folder, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno
    }
  }
}

extension OpenFile {
  /// Replaces the content of a regular file, and waits until it is on the disk.
  ///
  /// - Throws: `Errno`.
  func replaceContents(by bytes: some Sequence<UInt8>) throws {
    try descriptor.seek(offset: 0, from: .start)
    let count = try descriptor.writeAll(bytes)
    guard ftruncate(descriptor.rawValue, count) == 0 else { throw Errno(rawValue: errno) }
    // EINVAL and EROFS: the file is not on a disk.
    guard fsync(descriptor.rawValue) == 0 || errno == EINVAL || errno == EROFS else { throw Errno(rawValue: errno) }
  }
}

extension FilePath.Component {
  /// A random name of 27 bytes.
  fileprivate static var random: Self {
    let letters = Array("abcdefghijklmnopqrstuvwxyz234567")
    let name = "spectrap-" + String((0..<18).map { _ in letters.randomElement() ?? "a" })
    return Self(name) ?? "spectrap"
  }
}
