// A stream between the two sides of a move: a Unix socket, or a descriptor to read from and one to write to.
//
// End of file, EPIPE and ECONNRESET mean that the other side has closed or is dead. Any other error says nothing about
// it: a call that fails for lack of memory or buffers (ENOBUFS, ENOMEM), or was interrupted, is repeated until the
// phase's deadline.
// Facts: unix(7), socket(2), connect(2), send(2) (MSG_NOSIGNAL), recv(2), poll(2), pipe(7).

import Glibc
import Hypervisor
public import SystemPackage

/// A socket call that failed.
public struct SocketError: Error, Equatable, CustomStringConvertible {
  /// What was attempted.
  public let what: String
  /// Nil if the other side has closed.
  public let code: Errno?
  /// What became of the command that carried the stream; nil where none did.
  public internal(set) var carrier: String?

  public var description: String {
    "\(what): \(code.map { "\($0)" } ?? "the other side is gone")\(carrier.map { "; \($0)" } ?? "")"
  }
}

extension SocketError {
  /// Whether a resource is exhausted at the moment (socket(2)), which says nothing about the other side.
  public var isShortage: Bool {
    [.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noBufferSpace].contains(code)
  }

  /// Whether the other side has closed.
  var isEndOfStream: Bool { code.map(\.isDeathOfPeer) ?? true }

  /// Whether this side was cancelled.
  var isCancellation: Bool { code == .canceled }

  /// The error of the call that has just failed.
  init(_ what: String) { self.init(what: what, code: Errno(rawValue: errno), carrier: nil) }
  init(_ what: String, _ code: Errno?) { self.init(what: what, code: code, carrier: nil) }
}

extension Errno {
  fileprivate var isDeathOfPeer: Bool { self == .connectionReset || self == .brokenPipe }
}

/// A call that a test can make fail.
enum SocketCall: String, CaseIterable, Sendable { case send, receive, poll }

/// One end of a stream; closed when the owner goes.
public struct Connection: ~Copyable, Sendable {
  /// What is read from.
  let descriptor: CInt
  /// What is written to: the same for a socket.
  let output: CInt
  /// Whether something stands between the two sides that may end while both live: then the end of the stream says
  /// nothing about the other side.
  public internal(set) var isForwarded: Bool
  /// The command that carries the stream, where one does.
  let carrier: CarrierCommand?
  /// For tests: the error with which a call fails instead of being made.
  private let fault: (@Sendable (SocketCall) -> Errno?)?

  init(
    owning descriptor: CInt, isForwarded: Bool = false, failing fault: (@Sendable (SocketCall) -> Errno?)? = nil
  ) {
    self.descriptor = descriptor
    output = descriptor
    self.isForwarded = isForwarded
    carrier = nil
    self.fault = fault
  }

  /// A stream of two descriptors, which do not wait from now on; SIGPIPE must be ignored.
  init(reading input: CInt, writing output: CInt, through carrier: CarrierCommand? = nil) {
    descriptor = input
    self.output = output
    isForwarded = true
    self.carrier = carrier
    fault = nil
    for descriptor in [input, output] {
      _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }
  }

  deinit {
    close(descriptor)
    if output != descriptor { close(output) }
  }

  /// A socket that is neither bound nor connected.
  static func make() throws(SocketError) -> Connection {
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(AF_UNIX, kind, 0)
    guard descriptor >= 0 else { throw SocketError("making a socket") }
    return Connection(owning: descriptor)
  }

  /// Connects to the socket at a path; while its queue is full, waits at most `limit`.
  ///
  /// - Throws: `SocketError` when nobody listens there, the path is too long, or `peers` does not accept the listener.
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

  /// Tries once, and returns the error; nil if there is none.
  private func connect(to path: FilePath) throws(SocketError) -> Errno? {
    var address = try sockaddr_un(path)
    // Safe: the structure is used only during the call, with its own length.
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    return result == 0 ? nil : Errno(rawValue: errno)
  }

  // MARK: Bytes

  /// A message that was not sent completely.
  struct Cut: Error {
    let cause: SocketError
    /// How many bytes were sent.
    let sent: Int
  }

  /// Sends all of these bytes until `deadline`.
  ///
  /// - Throws: `Cut` when the other side has closed (no error number, EPIPE or ECONNRESET), or the time is up.
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
      } catch { throw Cut(cause: explained(error), sent: sent) }
    }
  }

  /// Waits for exactly `count` bytes until `deadline`.
  ///
  /// - Throws: `SocketError` when the other side has closed (no error number), or the time is up (ETIMEDOUT, or the
  ///   repeated error).
  func receive(
    _ count: Int, by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool = { false }
  ) throws(SocketError) -> [UInt8] {
    var bytes: [UInt8] = []
    var last: Errno?
    while bytes.count < count {
      try wait(for: POLLIN, until: deadline, after: last, "waiting", isCancelled)
      // The buffer grows with what arrives, not with what was announced.
      var part = [UInt8](repeating: 0, count: min(count - bytes.count, 1 << 16))
      switch take(into: &part) {
      case .success(0): throw explained(SocketError("receiving", nil))
      case .success(let received): bytes += part[..<received]
      case .failure(let code) where code.isDeathOfPeer: throw explained(SocketError("receiving", code))
      case .failure(let code):
        last = code
        Self.rest()
      }
    }
    return bytes
  }

  /// The error with what became of the command, if the stream has ended.
  private func explained(_ error: SocketError) -> SocketError {
    guard let carrier, error.isEndOfStream else { return error }
    var error = error
    error.carrier = carrier.fate(within: .milliseconds(200))
    return error
  }

  /// Whether exactly this message has arrived, which it then takes: for use after the deadline, because this process
  /// may have been stopped all the time.
  ///
  /// The end of the stream does not count.
  func hasReceived(_ message: Message) -> Bool {
    let wanted = message.bytes
    var bytes = [UInt8](repeating: 0, count: wanted.count)
    guard case .success(wanted.count) = take(into: &bytes) else { return false }
    return bytes == wanted
  }

  /// Whether a message that decides who has the guest has reached the other side's end of the stream.
  enum Delivery: Equatable, Sendable {
    case delivered
    /// No: the other side has closed.
    case gone
    /// No: not one byte of it was sent, and the time is up.
    case undelivered
  }

  /// Sends a message that decides who has the guest, and returns whether it was delivered.
  ///
  /// Such a message is short, and the kernel accepts it completely or not at all (Linux net/unix/af_unix.c,
  /// unix_stream_sendmsg: one buffer; pipe(7), PIPE_BUF).
  func deliver(_ message: Message, by deadline: ContinuousClock.Instant) -> Delivery {
    let bytes = message.bytes
    var sent = 0
    while true {
      switch transmit(bytes[sent...]) {
      case .success(let count):
        sent += count
        if sent == bytes.count { return .delivered }
        continue
      case .failure(let code) where code.isDeathOfPeer: return .gone
      case .failure: break
      }
      if hasHungUp { return .gone }
      if sent == 0, ContinuousClock.now >= deadline { return .undelivered }
      Self.rest()
    }
  }

  // MARK: Calls

  private func transmit(_ bytes: ArraySlice<UInt8>) -> Result<Int, Errno> {
    if let code = fault?(.send) { return .failure(code) }
    // Safe: the slice is held for the length of the call. Without the flag a closed stream would be a signal.
    let sent = unsafe bytes.withUnsafeBytes {
      output == descriptor
        ? unsafe Glibc.send(output, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
        : unsafe Glibc.write(output, $0.baseAddress, $0.count)
    }
    return sent < 0 ? .failure(Errno(rawValue: errno)) : .success(sent)
  }

  private func take(into bytes: inout [UInt8]) -> Result<Int, Errno> {
    if let code = fault?(.receive) { return .failure(code) }
    // Safe: the array is held for the length of the call, which writes at most its length.
    let received = unsafe bytes.withUnsafeMutableBytes {
      output == descriptor
        ? unsafe recv(descriptor, $0.baseAddress, $0.count, CInt(MSG_DONTWAIT))
        : unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
    }
    return received < 0 ? .failure(Errno(rawValue: errno)) : .success(received)
  }

  private func poll(_ events: CInt, milliseconds: CInt) -> Result<CInt, Errno> {
    if let code = fault?(.poll) { return .failure(code) }
    var request = pollfd(fd: events == POLLOUT ? output : descriptor, events: CShort(events), revents: 0)
    // Safe: one structure, this call's own.
    let ready = unsafe Glibc.poll(&request, 1, milliseconds)
    return ready < 0 ? .failure(Errno(rawValue: errno)) : .success(CInt(request.revents))
  }

  /// Whether the other side will send nothing more.
  ///
  /// POLLRDHUP, which C libraries hide without _GNU_SOURCE, is 0x2000.
  private var hasHungUp: Bool {
    if case .success(let events) = poll(0x2000, milliseconds: 0) { events & (0x2000 | POLLHUP) != 0 } else { false }
  }

  /// Waits for events, and polls `isCancelled`.
  private func wait(
    for events: CInt, until deadline: ContinuousClock.Instant, after last: Errno?, _ what: String,
    _ isCancelled: () -> Bool
  ) throws(SocketError) {
    var last = last
    while true {
      if isCancelled() { throw SocketError(what, .canceled) }
      let left = (deadline - .now) / .milliseconds(1)
      // The deadline holds even if the other side sends a byte now and then.
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

  /// Waits a moment before a repeated attempt.
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
