// A socket at a path where others can connect.
//
// Two processes must not replace a dead socket at the same time: the first would then listen at a name that belongs to
// the second. So the folder is locked from the check of the name until the socket listens.
// Facts: unix(7), bind(2), listen(2), accept(2), flock(2) (a folder can be locked); Linux net/unix/af_unix.c (the file
// takes the mode of the socket).

import Glibc
import Synchronization
public import SystemPackage

/// A socket that others can connect to; its file is removed with the owner.
public struct Listener: ~Copyable, Sendable {
  private let socket: Connection
  private let peers: PeerRule
  private let isForwarded: Bool
  /// Its file: without it no new process can connect.
  public let file: SocketFile

  /// How long another process may lock the folder.
  private static let lockTimeout = Duration.seconds(10)

  /// Listens at a path for processes that `peers` accepts.
  ///
  /// The file of a socket without a listener is replaced.
  ///
  /// - Parameter isForwarded: whether those who connect are forwarders such as `ssh -L`, and not sources themselves.
  /// - Throws: `SocketError` when the path is in use, or a socket cannot be made there.
  public init(
    at path: FilePath, for peers: PeerRule = PeerRule(), isForwarded: Bool = false
  ) throws(SocketError) {
    var address = try sockaddr_un(path)
    let folder = try LockedFolder(of: path, within: Self.lockTimeout)
    defer { withExtendedLifetime(folder) {} }
    do throws(SocketError) {
      _ = try Connection(to: path, of: peers)
      throw SocketError("listening at \(path)", .addressInUse)
    } catch {
      // Connection refused: a socket without a listener. Any other error may mean that there is one.
      switch error.code {
      case .connectionRefused where FileIdentity(path)?.isSocket == true: path.unlink()
      case .noSuchFileOrDirectory, .connectionRefused: break
      case _ where error.isShortage: throw error
      default: throw SocketError("listening at \(path)", .addressInUse)
      }
    }
    let socket = try Connection.make()
    let descriptor = socket.descriptor
    // Only the owner may connect, because a guest that arrives is run. The socket's mode becomes the file's.
    guard fchmod(descriptor, 0o600) == 0 else { throw SocketError("listening at \(path)") }
    // Safe: the structure is this call's own, for its own length.
    let bound = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard bound == 0, listen(descriptor, 1) == 0, let identity = FileIdentity(path) else {
      throw SocketError("listening at \(path)")
    }
    self.socket = socket
    self.peers = peers
    self.isForwarded = isForwarded
    file = SocketFile(path: path, identity: identity)
  }

  /// Waits for a connection that the rule accepts; returns nil once `isCancelled` does, which is polled.
  ///
  /// - Parameter refusing: Called for each connection that is refused.
  /// - Throws: `SocketError` when the system fails.
  public func accept(
    unless isCancelled: () -> Bool, refusing: (SocketError) -> Void = { _ in }
  ) throws(SocketError) -> Connection? {
    while !isCancelled() {
      var request = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
      // Safe: one structure, this call's own.
      let ready = unsafe poll(&request, 1, 50)
      if ready == 0 || (ready < 0 && errno == EINTR) { continue }
      let descriptor = Glibc.accept(socket.descriptor, nil, nil)
      if descriptor >= 0 {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let connection = Connection(owning: descriptor, isForwarded: isForwarded)
        do throws(SocketError) {
          guard let stranger = try connection.stranger(among: peers) else { return connection }
          refusing(SocketError("user \(stranger) has connected", .permissionDenied))
        } catch { refusing(error) }
        continue
      }
      guard [EINTR, ECONNABORTED, EAGAIN].contains(errno) else { throw SocketError("accepting a connection") }
    }
    return nil
  }
}

/// The file of a listener's socket; removed when the owner goes.
public final class SocketFile: Sendable {
  private let path: FilePath
  /// The file as it was made: another may have replaced it.
  private let identity: FileIdentity
  private let isRemoved = Atomic(false)

  fileprivate init(path: FilePath, identity: FileIdentity) {
    self.path = path
    self.identity = identity
  }

  deinit { remove() }

  /// Removes it, once, if it is still the one that was made.
  public func remove() {
    guard !isRemoved.exchange(true, ordering: .relaxed), FileIdentity(path) == identity else { return }
    path.unlink()
  }
}

/// A folder that is locked against other listeners, until the owner goes.
private struct LockedFolder: ~Copyable {
  private let descriptor: CInt

  /// Locks the folder of a path.
  ///
  /// - Throws: `SocketError` when there is none, or another process locks it for too long.
  init(of path: FilePath, within limit: Duration) throws(SocketError) {
    let folder = path.removingLastComponent()
    let name: FilePath = folder.isEmpty ? "." : folder
    // Safe: the path is valid for the length of the call, and ends with a zero.
    let opened = unsafe name.withPlatformString { unsafe open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard opened >= 0 else { throw SocketError("listening at \(path)") }
    let deadline = ContinuousClock.now + limit
    while flock(opened, LOCK_EX | LOCK_NB) != 0 {
      let code = Errno(rawValue: errno)
      guard code == .wouldBlock || code == .interrupted, ContinuousClock.now < deadline else {
        close(opened)
        throw SocketError("locking the folder of \(path)", code)
      }
      Connection.rest()
    }
    descriptor = opened
  }

  // Closing it releases the lock.
  deinit { close(descriptor) }
}

/// The identity of the file at a path.
private struct FileIdentity: Equatable {
  let device: DeviceID
  let inode: Inode
  let isSocket: Bool

  /// The file itself, also if it is a link; nil if there is none.
  init?(_ path: FilePath) {
    guard let status = try? Stat(path, followTargetSymlink: false) else { return nil }
    (device, inode, isSocket) = (status.deviceID, status.inode, status.type == .socket)
  }
}

extension FilePath {
  /// Removes the file, if possible.
  fileprivate func unlink() {
    // Safe: the path is valid for the length of the call, and ends with a zero.
    unsafe withPlatformString { unsafe _ = Glibc.unlink($0) }
  }
}
