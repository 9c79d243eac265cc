// A place for a result, made sure of before there is one: what can fail at the end is tried at the start, and what
// fails all the same does not take the result with it.
//
// A plain file is replaced in one step, with the owner and the mode that it had. One that cannot be (something is
// mounted at it, it has an access control list, it or its folder belong to somebody else) is written in place, which
// asks for the permission to write to it. What is no plain file is opened once, and written to as it is.
//
// Facts: open(2); rmdir(2); rename(2), EBUSY; inode(7); full(4); pipe(7); Linux fs/namei.c, may_delete.

import CHost
import Glibc
import SystemPackage

final class ResultFile {
  /// How it is called, for messages.
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

  /// Enough for a result without raw samples, in bytes.
  private static let small = 64 << 10

  /// Makes sure of a place for so many bytes, `-` being standard output; a file that is new gets these permissions.
  ///
  /// - Throws: `Failure` when they cannot be written there.
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

  /// Whether it is standard output, however it is called.
  private var isStandardOutput: Bool {
    if case .descriptor(.standardOutput) = target { true } else { false }
  }

  deinit { if case .inPlace(let file) = target { file.release() } }

  /// Writes the whole result.
  ///
  /// - Throws: `Failure` when the system does not take it; it says where the result is instead.
  func write(_ text: String) throws { try write(Array(text.utf8)) }

  /// Writes the whole result.
  ///
  /// - Throws: `Failure` when the system does not take it; it says where the result is instead.
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
      // A program behind a pipe that reads no more has had what it wanted.
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
      // Without a wait, should it have become a pipe; and no link, should it have become one.
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
  /// A new file that can take this one's name in the folder, with its owner and mode; nil when this must be written in
  /// place.
  ///
  /// - Throws: `Errno` for what would fail in place as well, as a full disk.
  fileprivate func successor(in folder: Folder, as name: FilePath.Component) throws(Errno) -> NewFile? {
    let descriptor = descriptor.rawValue
    if chost_is_mount_root(descriptor) || chost_has_access_list(descriptor) { return nil }
    // Who removes a folder of this name is told first whether he may remove what stands there, and only then that it is
    // no folder.
    // Safe: the name is valid for the length of the call, and ends with a zero.
    let trial = unsafe name.withPlatformString { unsafe unlinkat(folder.file.descriptor.rawValue, $0, AT_REMOVEDIR) }
    guard trial < 0, errno == ENOTDIR else { return nil }
    do throws(Errno) {
      // Nobody else's until it has its mode.
      let file = try NewFile(in: folder, permissions: .ownerReadWrite)
      try file.takeAfter(try status)
      return file
    } catch {
      if [.permissionDenied, .notPermitted, .readOnlyFileSystem].contains(error) { return nil }
      throw error
    }
  }

  /// Takes so many bytes of space for this file where its file system can; its length stays.
  ///
  /// - Throws: `Errno` when there is no such space.
  fileprivate func reserve(_ count: Int) throws(Errno) {
    while true {
      let error = CInt(-chost_fallocate_keeping_size(descriptor.rawValue, count))
      if error == EINTR { continue }
      if [ENOSPC, EDQUOT, EFBIG].contains(error) { throw Errno(rawValue: error) }
      return
    }
  }

  /// Gives back the space behind the file's end.
  fileprivate func release() {
    if let size = try? status.size { _ = ftruncate(descriptor.rawValue, Int(size)) }
  }
}

extension ResultFile {
  /// Puts a result that its place did not take where it can be found, and gives that path: beside its place, else in
  /// the folder for temporary files; nil when that fails as well.
  private func rescue(_ bytes: [UInt8]) -> FilePath? {
    var folders: [Folder] = []
    if case .name(let folder, _, _) = place { folders.append(folder) }
    // Safe: the string is copied at once.
    let temporary = unsafe getenv("TMPDIR").map { unsafe FilePath(platformString: $0) } ?? "/tmp"
    if let folder = try? Folder(temporary) { folders.append(folder) }

    if case .new(let file, _) = target, let name = file.standsWhole { return folders.first?.path.appending(name) }
    for folder in folders {
      guard let file = try? NewFile(in: folder, permissions: permissions.intersection(.ownerReadWrite)) else {
        continue
      }
      guard (try? file.write(bytes)) != nil, let name = try? file.appear() else { continue }
      return folder.path.appending(name)
    }
    return nil
  }

  /// The first two of these options that name one file, so that the later would replace what the former wrote; nil for
  /// none.
  ///
  /// A device or a pipe takes any number.
  static func clash(of outputs: [(option: String, path: FilePath?)]) -> (String, String)? {
    var options: [Place.Identity: String] = [:]
    for output in outputs {
      // What cannot be looked at is reported when it is to be opened.
      guard let path = output.path, let place = try? Place(path, standard: .standardOutput),
        let identity = place.identity
      else { continue }
      if let other = options.updateValue(output.option, forKey: identity) { return (other, output.option) }
    }
    return nil
  }
}

extension Failure {
  /// The failure to write something of this name.
  init(_ error: Errno, writing name: String) { self.init(error, "\(name) cannot be written", status: .ioError) }
}
