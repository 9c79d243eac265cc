// A stream between two processes of one machine: a Unix socket, with the few calls that are needed.
//
// What a failed call means: end of file, EPIPE and ECONNRESET say that the other side has closed, or is dead. Nothing
// else says anything about it: a call that fails for want of memory or buffers (ENOBUFS, ENOMEM), or was interrupted,
// is made again until the phase's deadline.
// Facts: unix(7), socket(2), connect(2), send(2) (MSG_NOSIGNAL), recv(2), poll(2).

import Glibc
import Hypervisor
public import SystemPackage

/// A call about a socket that failed.
public struct SocketError: Error, Equatable, CustomStringConvertible {
  /// What was attempted, in words.
  public let what: String
  /// Nil when the other side has closed.
  public let code: Errno?

  public var description: String { "\(what): \(code.map { "\($0)" } ?? "the other side is gone")" }
}

extension SocketError {
  /// Whether the system has too little of something at the moment (socket(2)): nothing is said about the other side.
  public var isShortage: Bool {
    [.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noBufferSpace].contains(code)
  }

  /// Whether the other side has closed, in whichever way.
  var isEndOfStream: Bool { code.map(\.isDeathOfPeer) ?? true }

  /// Whether this side gave up waiting because it was asked to.
  var isCancellation: Bool { code == .canceled }

  /// The error of the call that has just failed.
  init(_ what: String) { self.init(what: what, code: Errno(rawValue: errno)) }
  init(_ what: String, _ code: Errno?) { self.init(what: what, code: code) }
}

extension Errno {
  fileprivate var isDeathOfPeer: Bool { self == .connectionReset || self == .brokenPipe }
}

/// A call that a test may have fail.
enum SocketCall: String, CaseIterable, Sendable { case send, receive, poll }

/// One end of a stream; closed when the owner goes.
public struct Connection: ~Copyable, Sendable {
  let descriptor: CInt
  /// The error that a call is to fail with instead of being made: for tests of what follows from a failure.
  private let fault: (@Sendable (SocketCall) -> Errno?)?

  init(owning descriptor: CInt, failing fault: (@Sendable (SocketCall) -> Errno?)? = nil) {
    self.descriptor = descriptor
    self.fault = fault
  }

  deinit { close(descriptor) }

  /// A socket that is neither bound nor connected.
  static func make() throws(SocketError) -> Connection {
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(AF_UNIX, kind, 0)
    guard descriptor >= 0 else { throw SocketError("making a socket") }
    return Connection(owning: descriptor)
  }

  /// Connects to the socket at a path; where so many wait there that there is no room, at most `limit`.
  ///
  /// - Throws: `SocketError`: nobody listens there, the path is too long, or whoever listens is not one of `peers`.
  public init(
    to path: FilePath, of peers: PeerRule = PeerRule(), within limit: Duration = .zero,
    unless isCancelled: () -> Bool = { false }
  ) throws(SocketError) {
    let made = try Self.make()
    try made.connect(to: path, by: .now + limit, unless: isCancelled)
    if let stranger = try made.stranger(among: peers) {
      throw SocketError("connecting to \(path), where user \(stranger) listens", .permissionDenied)
    }
    self = made
  }

  private func connect(
    to path: FilePath, by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool
  ) throws(SocketError) {
    while let code = try connect(to: path) {
      guard code == .resourceTemporarilyUnavailable || code == .interrupted, ContinuousClock.now < deadline else {
        throw SocketError("connecting to \(path)", code)
      }
      if isCancelled() { throw SocketError("connecting to \(path)", .canceled) }
      Self.rest()
    }
  }

  /// Tries once; gives the error, nil where there is none.
  private func connect(to path: FilePath) throws(SocketError) -> Errno? {
    var address = try sockaddr_un(path)
    // Safe: the structure is this call's own, for its own length.
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    return result == 0 ? nil : Errno(rawValue: errno)
  }

  // MARK: Bytes

  /// Bytes of a message that did not go out whole.
  struct Cut: Error {
    let cause: SocketError
    /// How many went out.
    let sent: Int
  }

  /// Sends all of these bytes until `deadline`.
  ///
  /// - Throws: `Cut`: the other side has closed (no error number, EPIPE or ECONNRESET), or the time is up.
  func send(
    _ bytes: [UInt8], by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool = { false }
  ) throws(Cut) {
    var sent = 0
    var last: Errno?
    while sent < bytes.count {
      do throws(SocketError) {
        try wait(for: POLLOUT, until: deadline, after: last, "sending", isCancelled)
        switch transmit(bytes[sent...]) {
        case .success(let count): sent += count
        case .failure(let code) where code.isDeathOfPeer: throw SocketError("sending", code)
        case .failure(let code):
          last = code
          Self.rest()
        }
      } catch { throw Cut(cause: error, sent: sent) }
    }
  }

  /// Waits for exactly `count` bytes until `deadline`.
  ///
  /// - Throws: `SocketError`: the other side has closed (no error number), or the time is up (ETIMEDOUT, or the error
  ///   that kept coming).
  func receive(
    _ count: Int, by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool = { false }
  ) throws(SocketError) -> [UInt8] {
    var bytes: [UInt8] = []
    var last: Errno?
    while bytes.count < count {
      try wait(for: POLLIN, until: deadline, after: last, "waiting", isCancelled)
      // The buffer grows with what comes, not with what was promised.
      var part = [UInt8](repeating: 0, count: min(count - bytes.count, 1 << 16))
      switch take(into: &part) {
      case .success(0): throw SocketError("receiving", nil)
      case .success(let received): bytes += part[..<received]
      case .failure(let code) where code.isDeathOfPeer: throw SocketError("receiving", code)
      case .failure(let code):
        last = code
        Self.rest()
      }
    }
    return bytes
  }

  /// Takes this message, where the whole of it has come and nothing before it: for who finds his deadline over, and may
  /// have been stopped all the time.
  ///
  /// The end of the stream is no message, and says nothing any more by then.
  func hasCome(_ message: Message) -> Bool {
    let wanted = message.bytes
    var bytes = [UInt8](repeating: 0, count: wanted.count)
    guard case .success(wanted.count) = take(into: &bytes) else { return false }
    return bytes == wanted
  }

  /// Whether a message that decides who has the guest has reached the other side's end of the stream.
  enum Said: Equatable, Sendable {
    case said
    /// No, and nobody is there any more.
    case gone
    /// No, not one byte of it, and the time is up.
    case unsaid
  }

  /// Sends a message that decides who has the guest, and says what is certain of it.
  ///
  /// Such a message is short, and the kernel takes it whole or not at all (Linux net/unix/af_unix.c,
  /// unix_stream_sendmsg: one buffer).
  func say(_ message: Message, by deadline: ContinuousClock.Instant) -> Said {
    let bytes = message.bytes
    var sent = 0
    while true {
      switch transmit(bytes[sent...]) {
      case .success(let count):
        sent += count
        if sent == bytes.count { return .said }
        continue
      case .failure(let code) where code.isDeathOfPeer: return .gone
      case .failure: break
      }
      if hasHungUp { return .gone }
      if sent == 0, ContinuousClock.now >= deadline { return .unsaid }
      Self.rest()
    }
  }

  // MARK: Calls

  private func transmit(_ bytes: ArraySlice<UInt8>) -> Result<Int, Errno> {
    if let code = fault?(.send) { return .failure(code) }
    // Safe: the slice is held for the length of the call. Without the flag a closed stream would be a signal.
    let sent = unsafe bytes.withUnsafeBytes {
      unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
    }
    return sent < 0 ? .failure(Errno(rawValue: errno)) : .success(sent)
  }

  private func take(into bytes: inout [UInt8]) -> Result<Int, Errno> {
    if let code = fault?(.receive) { return .failure(code) }
    // Safe: the array is held for the length of the call, which writes at most its length.
    let received = unsafe bytes.withUnsafeMutableBytes {
      unsafe recv(descriptor, $0.baseAddress, $0.count, CInt(MSG_DONTWAIT))
    }
    return received < 0 ? .failure(Errno(rawValue: errno)) : .success(received)
  }

  private func poll(_ events: CInt, milliseconds: CInt) -> Result<CInt, Errno> {
    if let code = fault?(.poll) { return .failure(code) }
    var request = pollfd(fd: descriptor, events: CShort(events), revents: 0)
    // Safe: one structure, this call's own.
    let ready = unsafe Glibc.poll(&request, 1, milliseconds)
    return ready < 0 ? .failure(Errno(rawValue: errno)) : .success(CInt(request.revents))
  }

  /// Whether the other side says nothing more.
  ///
  /// POLLRDHUP, which C libraries hide without _GNU_SOURCE, is 0x2000.
  private var hasHungUp: Bool {
    if case .success(let events) = poll(0x2000, milliseconds: 0) { events & (0x2000 | POLLHUP) != 0 } else { false }
  }

  /// Waits until there is something to do, asking now and then whether that is still wanted.
  private func wait(
    for events: CInt, until deadline: ContinuousClock.Instant, after last: Errno?, _ what: String,
    _ isCancelled: () -> Bool
  ) throws(SocketError) {
    var last = last
    while true {
      if isCancelled() { throw SocketError(what, .canceled) }
      let left = (deadline - .now) / .milliseconds(1)
      // Who sends a byte now and then does not hold the time up.
      guard left > 0 else { throw SocketError(what, last ?? .timedOut) }
      switch poll(events, milliseconds: CInt(min(left.rounded(.up), 50))) {
      case .success(let ready) where ready != 0: return
      case .success: break
      case .failure(.interrupted): break
      case .failure(let code):
        last = code
        Self.rest()
      }
    }
  }

  /// A moment in which the system may find what it lacked.
  static func rest() { usleep(1_000) }
}

extension sockaddr_un {
  /// The address of a path.
  ///
  /// - Throws: `SocketError` when it is too long for one.
  init(_ path: FilePath) throws(SocketError) {
    self.init()
    sun_family = sa_family_t(AF_UNIX)
    let bytes = path.bytes
    // One byte for the zero at the end.
    guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: sun_path) else {
      throw SocketError("the path \(path)", .fileNameTooLong)
    }
    // Safe: shorter than the member, by the check.
    unsafe withUnsafeMutableBytes(of: &sun_path) { unsafe $0.copyBytes(from: bytes) }
  }
}
