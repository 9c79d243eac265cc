// Stands between the two sides of a migration, sees every message, and can kill a side at each, or break the stream.

import Glibc
import Host
import Synchronization
import SystemPackage
import Testing

@testable import Experiments
@testable import Migration

/// One of the two sides.
enum Side: String, CaseIterable, Sendable {
  case source
  case destination

  var other: Side { self == .source ? .destination : .source }
}

/// When a side is to die: around the first message of a kind.
struct Death: Sendable, CustomTestStringConvertible {
  let victim: Side
  let message: MessageKind
  /// What becomes of the message, which its sender has sent already.
  let delivery: Delivery

  enum Delivery: String, CaseIterable, Sendable {
    /// It arrives, and then the victim dies.
    case beforeDeath
    /// The victim dies, and then it arrives, where the receiver lives.
    case afterDeath
    /// The victim dies, and it never arrives, as if it had died a moment earlier.
    case never
  }

  var testDescription: String { "\(victim) dies at \(message), delivery \(delivery)" }
}

/// When the stream is to break while both sides live: at the first message of a kind.
struct Cut: Sendable, CustomTestStringConvertible {
  let message: MessageKind
  /// Whether the message still arrives.
  let isDelivered: Bool

  var testDescription: String { "cut \(isDelivered ? "after" : "before") \(message)" }
}

/// Forwards the messages between two connections until both sides have closed.
final class Relay: Sendable {
  private let connect: @Sendable () -> Pipe?
  private let death: Death?
  private let cut: Cut?
  private let delayed: MessageKind?
  private let delay: Duration
  private let children = Mutex<[Side: Child]>([:])
  private let isDoomed = Atomic(false)
  private let isBroken = Atomic(false)
  private let seenKinds = Mutex<[MessageKind]>([])
  private let threads = Mutex<[Joinable]>([])

  /// Waits at `path` for a source, on behalf of the destination at another path.
  ///
  /// The messages of one kind can be held up for a while.
  convenience init(
    at path: String, to destination: String, _ death: Death? = nil, cut: Cut? = nil,
    delaying delayed: MessageKind? = nil, by delay: Duration = .zero
  ) throws {
    let box = Box(try Listener(at: FilePath(path)))
    self.init(death, cut, delayed, delay) {
      guard let source = try? box.listener.accept(unless: { false }),
        let other = try? Connection(to: FilePath(destination))
      else { return nil }
      return Pipe(source, other)
    }
  }

  /// Stands between commands, which write into and read from named pipes.
  convenience init(between pipes: NamedPipes, _ death: Death? = nil, cut: Cut? = nil) {
    self.init(death, cut, nil, .zero) {
      // In the order in which the other ends are opened: each waits for the other.
      let source = unsafe (open(pipes.fromSource, O_RDONLY), open(pipes.toSource, O_WRONLY))
      let destination = unsafe (open(pipes.toDestination, O_WRONLY), open(pipes.fromDestination, O_RDONLY))
      return Pipe(
        Connection(reading: source.0, writing: source.1), Connection(reading: destination.1, writing: destination.0))
    }
  }

  private init(
    _ death: Death?, _ cut: Cut?, _ delayed: MessageKind?, _ delay: Duration,
    connecting connect: @escaping @Sendable () -> Pipe?
  ) {
    self.connect = connect
    self.death = death
    self.cut = cut
    self.delayed = delayed
    self.delay = delay
    start { [self] in run() }
  }

  /// Carries a listener into a thread.
  private final class Box: Sendable {
    let listener: Listener
    init(_ listener: consuming Listener) { self.listener = listener }
  }

  /// The sides that can be killed.
  func watch(_ child: Child, as side: Side) { children.withLock { $0[side] = child } }

  /// The kinds of message in the order in which they first came.
  var kinds: [MessageKind] { seenKinds.withLock { $0 } }

  /// Waits until both sides have closed.
  func join() {
    while let thread = threads.withLock({ $0.popLast() }) { thread.join() }
  }

  // MARK: Forwarding

  private final class Pipe: Sendable {
    let source: Connection
    let destination: Connection
    init(_ source: consuming Connection, _ destination: consuming Connection) {
      self.source = source
      self.destination = destination
    }
  }

  private func run() {
    guard let pipe = connect() else { return }
    start { [self] in forward(.destination, pipe) }
    forward(.source, pipe)
  }

  /// Forwards what a side says until it has closed; then the other side sees that.
  private func forward(_ side: Side, _ pipe: Pipe) {
    // As long as any test may take.
    let deadline = ContinuousClock.now + .seconds(600)
    func next() -> Message? {
      side == .source ? try? pipe.source.message(by: deadline) : try? pipe.destination.message(by: deadline)
    }
    func send(_ message: Message) {
      if side == .source {
        try? pipe.destination.send(message.bytes, by: deadline)
      } else {
        try? pipe.source.send(message.bytes, by: deadline)
      }
    }
    while let message = next() {
      if message.kind == delayed { Thread.sleep(for: delay) }
      // What the victim would say after the moment of its death was never said.
      if side == death?.victim, isDoomed.load(ordering: .sequentiallyConsistent) { continue }
      // The answer to the last message that arrives is lost.
      if isBroken.load(ordering: .sequentiallyConsistent) { continue }
      let isFirst = seenKinds.withLock { kinds in
        defer { if !kinds.contains(message.kind) { kinds.append(message.kind) } }
        return !kinds.contains(message.kind)
      }
      if let cut, isFirst, message.kind == cut.message {
        isBroken.store(true, ordering: .sequentiallyConsistent)
        if cut.isDelivered { send(message) }
        for end in [pipe.source.descriptor, pipe.source.output, pipe.destination.descriptor, pipe.destination.output] {
          Self.close(end)
        }
        return
      }
      guard let death, isFirst, message.kind == death.message else {
        send(message)
        continue
      }
      isDoomed.store(true, ordering: .sequentiallyConsistent)
      switch death.delivery {
      case .beforeDeath:
        send(message)
        // The receiver does what follows from it.
        usleep(50_000)
        kill(death.victim)
      case .afterDeath:
        kill(death.victim)
        send(message)
      case .never: kill(death.victim)
      }
    }
    let (input, output) =
      side == .source
      ? (pipe.destination.descriptor, pipe.destination.output) : (pipe.source.descriptor, pipe.source.output)
    if input == output { _ = shutdown(output, CInt(SHUT_WR)) } else { Self.close(output) }
  }

  /// Ends what a descriptor stands for, on both sides of it; another thread may be using the descriptor.
  private static func close(_ descriptor: CInt) {
    // A socket has ended for both sides then, and what was sent before still arrives.
    if shutdown(descriptor, CInt(SHUT_RDWR)) == 0 { return }
    // A pipe's end is closed; reading goes on at the end of a file, and writing goes nowhere.
    let nothing = unsafe open("/dev/null", O_RDWR)
    _ = dup2(nothing, descriptor)
    _ = Glibc.close(nothing)
  }

  private func kill(_ side: Side) {
    while true {
      if let child = children.withLock({ $0[side] }) { return child.die() }
      usleep(1_000)
    }
  }

  // MARK: Threads

  /// A thread that somebody will wait for.
  private final class Joinable: Sendable {
    private let thread = Mutex<Thread?>(nil)
    init(_ body: @escaping @Sendable () -> Void) throws {
      var started: Thread? = try Thread(body)
      thread.withLock { swap(&$0, &started) }
    }
    func join() { thread.withLock { $0.take() }?.join() }
  }

  private func start(_ body: @escaping @Sendable () -> Void) {
    let guarded: @Sendable () -> Void = {
      // A pipe whose reader is dead is an error here, and not the end of all tests.
      var signals = sigset_t()
      // Safe: the set is this call's own.
      unsafe sigemptyset(&signals)
      unsafe sigaddset(&signals, SIGPIPE)
      unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
      body()
    }
    guard let joinable = try? Joinable(guarded) else { return }
    threads.withLock { $0.append(joinable) }
  }
}
