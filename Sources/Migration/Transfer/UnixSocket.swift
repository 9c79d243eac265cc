// A stream between two processes of one machine: a Unix socket, with the few calls that are needed.
// Facts: unix(7), socket(2), connect(2), accept(2), send(2) (MSG_NOSIGNAL), poll(2).

import Glibc
public import SystemPackage

/// A call about a socket that failed.
public struct SocketError: Error, Equatable, CustomStringConvertible {
  /// What was attempted, in words.
  public let what: String
  /// Nil when the other side has closed.
  public let code: Errno?

  public var description: String { "\(what): \(code.map { "\($0)" } ?? "the other side is gone")" }
}

/// One end of a stream; closed when the owner goes.
public struct Connection: ~Copyable, Sendable {
  let descriptor: CInt

  /// How long the other side may take to read what is sent to it.
  private static let sendingLimit = timeval(tv_sec: 10, tv_usec: 0)

  init(owning descriptor: CInt) {
    self.descriptor = descriptor
    var limit = Self.sendingLimit
    // Safe: the structure is this call's own, for its own length. Where it fails, sending may wait for longer.
    unsafe _ = setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  /// A socket that is neither bound nor connected.
  fileprivate static func make() throws(SocketError) -> Connection {
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SocketError("making a socket") }
    return Connection(owning: descriptor)
  }

  /// Connects to the socket at a path.
  ///
  /// Throws `SocketError`: nobody listens there, or the path is too long.
  public init(to path: String) throws(SocketError) {
    let made = try Self.make()
    try made.connect(to: path)
    self = made
  }

  private func connect(to path: String) throws(SocketError) {
    var address = try sockaddr_un(path)
    // Safe: the structure is this call's own, for its own length.
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else { throw SocketError("connecting to \(path)") }
  }

  /// Sends all of these bytes.
  ///
  /// Throws `SocketError` when the other side is gone.
  func send(_ bytes: [UInt8]) throws(SocketError) {
    var done = 0
    while done < bytes.count {
      // Safe: the rest of the array, which is held for the length of the call. Without the flag a closed stream would be a signal.
      let sent = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.send(descriptor, $0.baseAddress! + done, $0.count - done, CInt(MSG_NOSIGNAL))
      }
      if sent < 0, errno == EINTR { continue }
      if sent < 0, errno == EAGAIN { throw SocketError("sending", .timedOut) }
      guard sent > 0 else { throw SocketError("sending") }
      done += sent
    }
  }

  /// Waits for exactly `count` bytes, at most until `deadline`, or for ever when it is nil.
  ///
  /// Throws `SocketError`: the other side has closed (no error number), or the time is up (ETIMEDOUT).
  func receive(
    _ count: Int, by deadline: ContinuousClock.Instant? = nil, unless isCancelled: () -> Bool = { false }
  ) throws(SocketError) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      try wait(until: deadline, isCancelled)
      // The buffer grows with what comes, not with what was promised.
      var part = [UInt8](repeating: 0, count: min(count - bytes.count, 1 << 16))
      // Safe: the array is held for the length of the call, which writes at most its length.
      let received = unsafe part.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
      if received < 0, errno == EINTR { continue }
      guard received > 0 else { throw SocketError("receiving", received == 0 ? nil : Errno(rawValue: errno)) }
      bytes += part[..<received]
    }
    return bytes
  }

  private func wait(until deadline: ContinuousClock.Instant?, _ isCancelled: () -> Bool) throws(SocketError) {
    while true {
      if isCancelled() { throw SocketError("waiting", .canceled) }
      let left = deadline.map { max(0, ($0 - .now) / .milliseconds(1)) } ?? .infinity
      var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      // Safe: one structure, this call's own.
      let ready = unsafe poll(&request, 1, CInt(min(left.rounded(.up), 50)))
      // Who sends a byte now and then does not hold the time up.
      if left == 0 { throw SocketError("waiting", .timedOut) }
      if ready > 0 { return }
      if ready < 0, errno != EINTR { throw SocketError("waiting") }
    }
  }
}

/// A socket that others can connect to; its file goes with the owner.
public struct Listener: ~Copyable, Sendable {
  private let socket: Connection
  private let path: String
  /// The file as it was made: somebody may have put another in its place.
  private let file: FileIdentity

  /// Listens at a path.
  ///
  /// A file of a socket at which nobody listens any more is replaced.
  ///
  /// Throws `SocketError` when the path is taken, or no socket can be there.
  public init(at path: String) throws(SocketError) {
    var address = try sockaddr_un(path)
    do throws(SocketError) {
      _ = try Connection(to: path)
      throw SocketError("listening at \(path)", .addressInUse)
    } catch {
      // Refused: there is a socket, and nobody listens. Whatever else it is, somebody may.
      switch error.code {
      case .connectionRefused where FileIdentity(path)?.isSocket == true: unsafe _ = unlink(path)
      case .noSuchFileOrDirectory, .connectionRefused: break
      default: throw SocketError("listening at \(path)", .addressInUse)
      }
    }
    let socket = try Connection.make()
    let descriptor = socket.descriptor
    // Safe: the structure is this call's own, for its own length.
    let bound = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    // Only the owner may connect: what comes in is a guest to run.
    guard bound == 0, unsafe chmod(path, 0o600) == 0, listen(descriptor, 1) == 0 else {
      throw SocketError("listening at \(path)")
    }
    guard let file = FileIdentity(path) else { throw SocketError("listening at \(path)") }
    self.socket = socket
    self.path = path
    self.file = file
  }

  // Safe: the path is a string, which lives for the length of the call.
  deinit { if FileIdentity(path) == file { unsafe _ = unlink(path) } }

  /// Waits for someone to connect; nil when `isCancelled` says so, which is asked every now and then.
  ///
  /// Throws `SocketError` when the system refuses.
  public func accept(unless isCancelled: () -> Bool) throws(SocketError) -> Connection? {
    while !isCancelled() {
      var request = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
      // Safe: one structure, this call's own.
      let ready = unsafe poll(&request, 1, 50)
      if ready == 0 || (ready < 0 && errno == EINTR) { continue }
      // The address of the other side is not asked for.
      let connection = Glibc.accept(socket.descriptor, nil, nil)
      if connection >= 0 { return Connection(owning: connection) }
      guard errno == EINTR || errno == ECONNABORTED else { throw SocketError("accepting a connection") }
    }
    return nil
  }
}

/// Which file stands at a path.
private struct FileIdentity: Equatable {
  let device: dev_t
  let inode: ino_t
  let isSocket: Bool

  /// The file, not followed where it is a link; nil where there is none.
  init?(_ path: String) {
    var status = stat()
    // Safe: the path is a string, and the structure this call's own.
    guard unsafe lstat(path, &status) == 0 else { return nil }
    (device, inode, isSocket) = (status.st_dev, status.st_ino, status.st_mode & S_IFMT == S_IFSOCK)
  }
}

extension SocketError {
  /// Whether the other side has closed, in whichever way.
  var isEndOfStream: Bool { code == nil || code == .connectionReset || code == .brokenPipe }

  /// Whether this side gave up waiting because it was asked to.
  var isCancellation: Bool { code == .canceled }

  /// The error of the call that has just failed.
  fileprivate init(_ what: String) { self.init(what: what, code: Errno(rawValue: errno)) }
  fileprivate init(_ what: String, _ code: Errno?) { self.init(what: what, code: code) }
}

extension sockaddr_un {
  /// The address of a path.
  ///
  /// Throws `SocketError` when it is too long for one.
  fileprivate init(_ path: String) throws(SocketError) {
    self.init()
    sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    // One byte for the zero at the end.
    let fits = !bytes.isEmpty && bytes.count < MemoryLayout.size(ofValue: sun_path) && !bytes.contains(0)
    guard fits else { throw SocketError("the path \(path)", .fileNameTooLong) }
    // Safe: shorter than the member, by the check.
    unsafe withUnsafeMutableBytes(of: &sun_path) { unsafe $0.copyBytes(from: bytes) }
  }
}
