// A command that carries a move: its standard input and output lead to the other side, and its standard error is this
// process's.
// Facts: pipe(2), waitpid(2).

import CHost
import Glibc
import SystemPackage
import Synchronization

/// A shell command whose standard input and output lead to the other side of a move.
public final class CarrierCommand: Sendable {
  private let text: String
  private let process: CInt
  /// How it ended, as waitpid(2) says it; nil as long as it runs.
  private let status = Mutex<CInt?>(nil)

  /// The commands whose end nobody has waited for yet.
  private static let started = Mutex<[CarrierCommand]>([])

  private init(_ text: String, _ process: CInt) {
    self.text = text
    self.process = process
  }

  /// Starts a command; SIGPIPE must be ignored.
  ///
  /// - Throws: `SocketError` when the system has no process or descriptor left.
  static func start(_ command: [UInt8]) throws(SocketError) -> Connection {
    let text = String(decoding: command, as: UTF8.self).plain
    let what = "starting the command \"\(text)\""
    let (there, here) = (try Pipe(for: what), try Pipe(for: what))
    var process: CInt = 0
    // Safe: the string ends with a zero, and like the number it is valid during the call.
    let error = unsafe (command + [0]).withUnsafeBufferPointer { bytes in
      unsafe bytes.withMemoryRebound(to: CChar.self) {
        unsafe chost_spawn_shell($0.baseAddress!, there.reading, here.writing, &process)
      }
    }
    guard error == 0 else { throw SocketError(what, Errno(rawValue: error)) }
    let carrier = CarrierCommand(text, process)
    started.withLock { $0.append(carrier) }
    return Connection(reading: here.takeReading(), writing: there.takeWriting(), through: carrier)
  }

  /// The processes of the commands whose end nobody has waited for yet.
  public static var processes: [CInt] { started.withLock { $0.map(\.process) } }

  /// Waits until every command has ended, at most `limit`; nil for no limit.
  ///
  /// The streams to them must be closed, or they would wait for each other.
  ///
  /// - Returns: A sentence for each that ended with another status than 0, or has not ended.
  public static func awaitEnds(within limit: Duration?, unless isCancelled: () -> Bool = { false }) -> [String] {
    let deadline = limit.map { ContinuousClock.now + $0 }
    var fates: [String] = []
    for command in started.withLock({ $0 }) {
      while !command.hasEnded, !isCancelled(), deadline.map({ ContinuousClock.now < $0 }) ?? true { Connection.rest() }
      if !command.hasEnded || command.status.withLock({ $0 }) != 0 { fates.append(command.fate(within: .zero)) }
      if command.hasEnded { started.withLock { $0.removeAll { $0 === command } } }
    }
    return fates
  }

  /// What has become of it, in a sentence without an end; waits for its end at most `limit`.
  func fate(within limit: Duration) -> String {
    let deadline = ContinuousClock.now + limit
    while !hasEnded, ContinuousClock.now < deadline { Connection.rest() }
    return switch status.withLock({ $0 }) {
    case nil: "the command \"\(text)\" still runs"
    case let status? where status & 0x7f != 0: "the command \"\(text)\" was ended by signal \(status & 0x7f)"
    case let status?: "the command \"\(text)\" ended with exit status \(status >> 8 & 0xff)"
    }
  }

  /// Whether it has ended.
  private var hasEnded: Bool {
    status.withLock { status in
      if status != nil { return true }
      var found: CInt = 0
      // Safe: the number is this call's own.
      let ended = unsafe waitpid(process, &found, WNOHANG)
      // Somebody else has waited for it where there is none: nothing is known but that it has ended.
      if ended != 0 && !(ended < 0 && errno == EINTR) { status = ended > 0 ? found : 0 }
      return status != nil
    }
  }
}

/// A pipe whose ends are closed with the owner, unless they were taken.
private final class Pipe {
  private(set) var reading: CInt
  private(set) var writing: CInt

  /// Makes one.
  ///
  /// - Throws: `SocketError` when there is no descriptor left.
  init(for what: String) throws(SocketError) {
    var ends: (reading: CInt, writing: CInt) = (-1, -1)
    // Safe: room for two descriptors.
    let result = unsafe withUnsafeMutableBytes(of: &ends) {
      unsafe pipe($0.assumingMemoryBound(to: CInt.self).baseAddress!)
    }
    guard result == 0 else { throw SocketError(what) }
    // Not for the command, which gets two of the four ends as its standard streams.
    for end in [ends.reading, ends.writing] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    (reading, writing) = ends
  }

  deinit { for end in [reading, writing] where end >= 0 { close(end) } }

  func takeReading() -> CInt {
    defer { reading = -1 }
    return reading
  }

  func takeWriting() -> CInt {
    defer { writing = -1 }
    return writing
  }
}
