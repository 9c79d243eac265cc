// A file that is to appear whole under its name, or not at all. It has no name until then, so nobody can put anything
// in its place, and nothing is left of it however the program ends. Where the file system or the kernel cannot do that,
// it has a name that nobody guesses.
// Facts: open(2), O_TMPFILE and O_EXCL; linkat(2), AT_EMPTY_PATH (without CAP_DAC_READ_SEARCH since Linux 6.10) and
// /proc/self/fd; rename(2) replaces a file in one step; posix_fallocate(3) takes space that no other file gets.

import CHost
import Glibc
import SystemPackage

final class NewFile {
  private let folder: Folder
  private let file: OpenFile
  /// A name that is only for now; nil while the file has none.
  private var temporary: FilePath.Component?
  /// Whether it is whole, so that it is left where it is if it cannot get its name.
  private var isWhole = false

  /// Makes one in the folder in which it is to appear.
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

  /// A file without a name that can get one later; nil where there is no such thing.
  private static func nameless(in folder: Folder, _ permissions: FilePermissions) throws(Errno) -> OpenFile? {
    do throws(Errno) {
      let file = try OpenFile(".", in: folder.file, flags: chost_o_tmpfile | O_WRONLY, permissions: permissions)
      return canLink(file) ? file : nil
    } catch {
      // Kernels and file systems that do not know the flag take the folder itself for what is to be opened.
      if [.notSupportedOnSocket, .isDirectory, .invalidArgument].contains(error) { return nil }
      throw error
    }
  }

  deinit { if let temporary, !isWhole { folder.unlink(temporary) } }

  /// Takes so many bytes of space for it where its file system can.
  ///
  /// - Throws: `Errno` when there is no such space.
  func reserve(_ count: Int) throws(Errno) {
    while true {
      switch posix_fallocate(file.descriptor.rawValue, 0, count) {
      case 0, EOPNOTSUPP, EINVAL, ENOSYS: return
      case EINTR: continue
      case let error: throw Errno(rawValue: error)
      }
    }
  }

  /// Gives it the owner and the mode of another file.
  ///
  /// - Throws: `Errno` when that is not permitted.
  func takeAfter(_ other: Stat) throws(Errno) {
    let own = try file.status
    if own.userID != other.userID || own.groupID != other.groupID {
      guard fchown(file.descriptor.rawValue, other.userID.rawValue, other.groupID.rawValue) == 0 else {
        throw Errno(rawValue: errno)
      }
    }
    let mode = other.permissions.intersection(FilePermissions(rawValue: 0o777))
    guard fchmod(file.descriptor.rawValue, mode.rawValue) == 0 else { throw Errno(rawValue: errno) }
  }

  /// Writes all that is to stand in it.
  ///
  /// - Throws: `Errno`; then nothing is left of it.
  func write(_ bytes: some Sequence<UInt8>) throws {
    try file.replaceContents(by: bytes)
    isWhole = true
  }

  /// Appears under a name; what stands there is replaced.
  ///
  /// - Throws: `Errno`; then it stands in its folder under another name if it can.
  func appear(as name: FilePath.Component) throws(Errno) {
    if temporary == nil {
      do throws(Errno) { return try link(as: name) } catch { guard error == .fileExists else { throw error } }
    }
    let temporary = try appear()
    // Safe: both names are valid for the length of the call, and end with a zero.
    let result = unsafe temporary.withPlatformString { from in
      unsafe name.withPlatformString { to in
        unsafe renameat(folder.file.descriptor.rawValue, from, folder.file.descriptor.rawValue, to)
      }
    }
    guard result == 0 else { throw Errno(rawValue: errno) }
    self.temporary = nil
  }

  /// Appears under a name that nobody guesses, and gives that.
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

  /// The name of a whole file that has not got the one it should have; nil when nothing of it can be found.
  var standsWhole: FilePath.Component? { isWhole ? try? appear() : nil }

  private func link(as name: FilePath.Component) throws(Errno) {
    let error = Self.link(file, in: folder, as: name)
    if error != 0 { throw Errno(rawValue: error) }
  }

  /// Whether a file without a name can get one here: whoever may not name it is told so before he is told that the name
  /// is taken.
  private static func canLink(_ file: OpenFile) -> Bool { link(file, in: nil, as: ".") == EEXIST }

  /// Gives the file a name by whichever way is open; 0 or an error number.
  private static func link(_ file: OpenFile, in folder: Folder?, as name: FilePath.Component) -> CInt {
    let descriptor = file.descriptor.rawValue
    let folder = folder?.file.descriptor.rawValue ?? AT_FDCWD
    // Safe: every string is valid for the length of the call, and ends with a zero.
    return unsafe name.withPlatformString { name in
      if unsafe linkat(descriptor, "", folder, name, chost_at_empty_path) == 0 { return 0 }
      if errno != ENOENT { return errno }
      let magic = "/proc/self/fd/\(descriptor)"
      return unsafe linkat(AT_FDCWD, magic, folder, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno
    }
  }
}

extension OpenFile {
  /// Writes a plain file anew, to the disk.
  ///
  /// - Throws: `Errno`.
  func replaceContents(by bytes: some Sequence<UInt8>) throws {
    try descriptor.seek(offset: 0, from: .start)
    let count = try descriptor.writeAll(bytes)
    guard ftruncate(descriptor.rawValue, count) == 0 else { throw Errno(rawValue: errno) }
    // What is on no disk has nothing to be waited for.
    guard fsync(descriptor.rawValue) == 0 || errno == EINVAL || errno == EROFS else { throw Errno(rawValue: errno) }
  }
}

extension FilePath.Component {
  /// A name of 27 bytes that nobody guesses.
  fileprivate static var random: Self {
    let letters = Array("abcdefghijklmnopqrstuvwxyz234567")
    let name = "spectrap-" + String((0..<18).map { _ in letters.randomElement() ?? "a" })
    return Self(name) ?? "spectrap"
  }
}
