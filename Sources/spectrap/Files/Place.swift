// Where a path leads, found without opening the file. Links are followed here and not by the kernel, because a file is
// replaced where the last link points to, and because a link to an open descriptor is not a file name.
// Facts: path_resolution(7), symlink(7), inode(7); proc(5), /proc/pid/fd; Documentation/admin-guide/sysctl/fs.rst
// (protected_symlinks, protected_regular, protected_fifos).

import Glibc
import SystemPackage

enum Place {
  /// One of the program's own descriptors: `-`, /dev/stdout, /dev/fd/3.
  case descriptor(FileDescriptor)
  /// Something that a file cannot replace: a device, a pipe, a file that another process has open.
  case stream(Folder, FilePath.Component, isLink: Bool)
  /// A name in a folder, of a regular file or not yet taken.
  case name(Folder, FilePath.Component, isTaken: Bool)

  /// The kernel's own limit for links.
  private static let mostLinks = 40

  /// The place at a path; `-` is the descriptor `standard`.
  ///
  /// - Throws: `Failure` when nothing can be written there.
  init(_ path: FilePath, standard: FileDescriptor) throws {
    if path == "-" {
      self = .descriptor(standard)
      return
    }
    do { try self.init(following: path) } catch let error as Errno { throw Failure(error, writing: "\(path)") }
  }

  private init(following path: FilePath) throws {
    var path = path
    var folder: Folder?
    for _ in 0...Self.mostLinks {
      // The root and paths that end with a dot are folders.
      guard let name = path.lastComponent, name.kind == .regular else { throw Errno.isDirectory }
      let here = try Folder(path.removingLastComponent(), in: folder)
      if let descriptor = try here.ownDescriptor(name) {
        self = .descriptor(descriptor)
        return
      }
      guard let status = try here.status(of: name) else {
        self = .name(here, name, isTaken: false)
        return
      }
      try here.refuseForeign(status, at: here.path.appending(name))
      switch status.type {
      case .regular: self = .name(here, name, isTaken: true)
      case .directory: throw Errno.isDirectory
      // The text of a link in /proc is only descriptive: the kernel alone can follow such links.
      case .symbolicLink where !here.isOfProc:
        (path, folder) = (try here.target(ofLink: name), here)
        continue
      default: self = .stream(here, name, isLink: status.type == .symbolicLink)
      }
      return
    }
    throw Errno.tooManySymbolicLinkLevels
  }

  /// Identifies the place; nil for a stream, which takes any number of results.
  var identity: Identity? {
    switch self {
    case .descriptor(let descriptor): .descriptor(descriptor.rawValue)
    case .stream: nil
    case .name(let folder, let name, let isTaken):
      if isTaken, let status = try? folder.status(of: name) {
        .file(status.deviceID, status.inode)
      } else {
        (try? folder.file.status).map { .name($0.deviceID, $0.inode, name) }
      }
    }
  }

  enum Identity: Hashable {
    case descriptor(CInt)
    case file(DeviceID, Inode)
    case name(DeviceID, Inode, FilePath.Component)
  }
}

extension Folder {
  /// The descriptor that a name stands for, where this is the folder of the program's own descriptors.
  fileprivate func ownDescriptor(_ name: FilePath.Component) throws(Errno) -> FileDescriptor? {
    let status = try file.status
    let isOwn = ["/proc/self/fd", "/proc/thread-self/fd"].contains { (path: FilePath) in
      guard let own = try? Stat(path) else { return false }
      return own.deviceID == status.deviceID && own.inode == status.inode
    }
    guard isOwn else { return nil }
    // Only descriptors that the program inherited; those that it has opened itself are close-on-exec.
    guard let number = CInt(name.string), fcntl(number, F_GETFD) == 0 else { throw .noSuchFileOrDirectory }
    return FileDescriptor(rawValue: number)
  }

  /// Whether it is a folder of /proc.
  fileprivate var isOfProc: Bool {
    guard let status = try? file.status, let proc = try? Stat(FilePath("/proc/self")) else { return false }
    return status.deviceID == proc.deviceID
  }

  /// Refuses a file that another user has put into a folder that everyone may write to, as a trap.
  ///
  /// The kernel has the same rule for links, pipes and files in such folders, but links are followed here.
  ///
  /// - Throws: `Failure`.
  fileprivate func refuseForeign(_ status: Stat, at path: FilePath) throws {
    let own = try file.status
    guard own.permissions.contains([.saveText, .otherWrite]) else { return }
    guard status.userID.rawValue != geteuid(), status.userID != own.userID else { return }
    throw Failure(
      status: .noPermission,
      message: "\(path) cannot be written: it belongs to another user, in a folder that everyone may write to; "
        + "choose another name")
  }
}
