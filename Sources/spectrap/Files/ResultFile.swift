// A place for a result, prepared before the measurement: whatever could fail at the end is tried at the start, and a
// failure at the end does not lose the result.
//
// A regular file is replaced in one step, and keeps its owner and mode. Where that is impossible (something is mounted
// at it, it has an access control list, it or its folder belongs to another user) it is written in place, if it is
// writable. Anything else is opened once and written to.
//
// Facts: open(2); rmdir(2); rename(2), EBUSY; inode(7); full(4); pipe(7); Linux fs/namei.c, may_delete.

import CHost
import Glibc
import SystemPackage

final class ResultFile {
  /// The name for messages.
  private let name: String
  private let place: Place
  private let target: Target
  private let permissions: FilePermissions

  fileprivate enum Target {
    /// One of the program's own descriptors, which stays open.
    case descriptor(FileDescriptor)
    case stream(OpenFile)
    case new(NewFile, as: FilePath.Component)
    case inPlace(OpenFile)
  }

  /// The size of a result without raw samples, in bytes.
  private static let small = 64 << 10

  /// Prepares a place for a result; `-` is standard output.
  ///
  /// - Parameters:
  ///   - bytes: how much space to allocate.
  ///   - permissions: those of a new file.
  /// - Throws: `Failure` when nothing can be written there.
  init(
    _ path: FilePath, reserving bytes: Int = small,
    permissions: FilePermissions = [.ownerReadWrite, .groupRead, .otherRead]
  ) throws {
    self.permissions = permissions
    name = path == "-" ? "standard output" : "\(path)"
    place = try Place(path, standard: .standardOutput)
    do { target = try Target(place, reserving: bytes, permissions: permissions) } catch let error as Errno {
      throw Failure(error, writing: name)
    }
    if isStandardOutput { Output.takeStandardOutput() }
  }

  /// Whether the place is standard output, by whichever name.
  private var isStandardOutput: Bool {
    if case .descriptor(.standardOutput) = target { true } else { false }
  }

  deinit { if case .inPlace(let file) = target { file.release() } }

  /// Writes the whole result.
  ///
  /// - Throws: `Failure` when that fails; its message names the file that has the result instead.
  func write(_ text: String) throws { try write(Array(text.utf8)) }

  /// Writes the whole result.
  ///
  /// - Throws: `Failure` when that fails; its message names the file that has the result instead.
  func write(_ bytes: [UInt8]) throws {
    do {
      switch target {
      case .descriptor(let descriptor): try descriptor.writeWhole(bytes)
      case .stream(let file): try file.descriptor.writeWhole(bytes)
      case .inPlace(let file): try file.replaceContents(by: bytes)
      case .new(let file, let name):
        try file.write(bytes)
        try file.appear(as: name)
      }
    } catch let error as Errno {
      let failure = Failure(error, writing: name)
      // The reader of a pipe has closed it, so the result is not wanted elsewhere.
      if case .descriptor = target, error == .brokenPipe { throw failure }
      guard let path = rescue(bytes) else { throw failure }
      throw Failure(status: failure.status, message: "\(failure.message); the result is in \(path)")
    }
  }
}

extension ResultFile.Target {
  /// - Throws: `Errno` or `Failure` when nothing can be written there.
  fileprivate init(_ place: Place, reserving bytes: Int, permissions: FilePermissions) throws {
    switch place {
    case .descriptor(let descriptor):
      try descriptor.checkForWriting()
      self = .descriptor(descriptor)
    case .stream(let folder, let name, let isLink):
      let flags = O_WRONLY | O_NOCTTY | (isLink ? 0 : O_NOFOLLOW)
      let file = try OpenFile(FilePath(root: nil, [name]), in: folder.file, flags: flags)
      try file.descriptor.checkForWriting()
      self = .stream(file)
    case .name(let folder, let name, isTaken: false):
      let file = try NewFile(in: folder, permissions: permissions)
      try file.reserve(bytes)
      self = .new(file, as: name)
    case .name(let folder, let name, isTaken: true):
      // The flags guard against a name that has become a pipe or a link meanwhile.
      let old = try OpenFile(
        FilePath(root: nil, [name]), in: folder.file, flags: O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
      if let file = try old.successor(in: folder, as: name) {
        try file.reserve(bytes)
        self = .new(file, as: name)
      } else {
        try old.reserve(bytes)
        self = .inPlace(old)
      }
    }
  }
}

extension OpenFile {
  /// A new file with this one's owner and mode that can replace it; nil when this one must be written in place.
  ///
  /// - Throws: `Errno` for failures that writing in place would meet as well, such as a full disk.
  fileprivate func successor(in folder: Folder, as name: FilePath.Component) throws(Errno) -> NewFile? {
    let descriptor = descriptor.rawValue
    if chost_is_mount_root(descriptor) || chost_has_access_list(descriptor) { return nil }
    // AT_REMOVEDIR: the kernel checks the permission to remove the name before it finds that this is no folder.
    // Safe: the name is zero-terminated and lives as long as the call.
    let trial = unsafe name.withPlatformString { unsafe unlinkat(folder.file.descriptor.rawValue, $0, AT_REMOVEDIR) }
    guard trial < 0, errno == ENOTDIR else { return nil }
    do throws(Errno) {
      // Only the owner may read it until it has its mode.
      let file = try NewFile(in: folder, permissions: .ownerReadWrite)
      try file.copyOwnerAndMode(of: try status)
      return file
    } catch {
      if [.permissionDenied, .notPermitted, .readOnlyFileSystem].contains(error) { return nil }
      throw error
    }
  }

  /// Allocates space for `count` bytes without changing the length, where the file system can.
  ///
  /// - Throws: `Errno` when there is not enough space.
  fileprivate func reserve(_ count: Int) throws(Errno) {
    while true {
      let error = CInt(-chost_fallocate_keeping_size(descriptor.rawValue, count))
      if error == EINTR { continue }
      if [ENOSPC, EDQUOT, EFBIG].contains(error) { throw Errno(rawValue: error) }
      return
    }
  }

  /// Frees the space behind the file's end.
  fileprivate func release() {
    if let size = try? status.size { _ = ftruncate(descriptor.rawValue, Int(size)) }
  }
}

extension ResultFile {
  /// Saves a result that could not be written to its place: beside the place, else in the folder for temporary files.
  ///
  /// - Returns: the path, or nil when that fails as well.
  private func rescue(_ bytes: [UInt8]) -> FilePath? {
    var folders: [Folder] = []
    if case .name(let folder, _, _) = place { folders.append(folder) }
    // Safe: the string is copied at once.
    let temporary = unsafe getenv("TMPDIR").map { unsafe FilePath(platformString: $0) } ?? "/tmp"
    if let folder = try? Folder(temporary) { folders.append(folder) }

    if case .new(let file, _) = target, let name = file.nameIfWhole { return folders.first?.path.appending(name) }
    for folder in folders {
      guard let file = try? NewFile(in: folder, permissions: permissions.intersection(.ownerReadWrite)) else {
        continue
      }
      guard (try? file.write(bytes)) != nil, let name = try? file.appear() else { continue }
      return folder.path.appending(name)
    }
    return nil
  }

  /// The first two options that name the same file; nil for none.
  ///
  /// A device or a pipe takes any number of results.
  static func clash(of outputs: [(option: String, path: FilePath?)]) -> (String, String)? {
    var options: [Place.Identity: String] = [:]
    for output in outputs {
      // A place that cannot be examined is reported when it is opened.
      guard let path = output.path, let place = try? Place(path, standard: .standardOutput),
        let identity = place.identity
      else { continue }
      if let other = options.updateValue(output.option, forKey: identity) { return (other, output.option) }
    }
    return nil
  }
}

extension Failure {
  /// The failure to write a file of this name.
  init(_ error: Errno, writing name: String) { self.init(error, "\(name) cannot be written", status: .ioError) }
}
