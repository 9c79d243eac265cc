// Who waits at a path, and whose file stands there.

import Glibc
import Host
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Experiments
@testable import Migration

@Suite("A listener at a path", .bounded)
struct ListenerTests: ~Copyable {
  private let path = "/tmp/spectrap-test-\(getpid())-\(UInt32.random(in: 0 ... .max))-listener"

  init() { unsafe _ = unlink(path) }
  deinit { unsafe _ = unlink(path) }

  private var isThere: Bool { unsafe access(path, F_OK) == 0 }

  private func error(at path: String) -> SocketError? {
    do throws(SocketError) { _ = try Listener(at: FilePath(path)) } catch { return error }
    return nil
  }

  @Test("keeps the path to itself while it is there, also when so many wait that it cannot be connected to")
  func taken() throws {
    let first = try Listener(at: FilePath(path))
    #expect(error(at: path)?.code == .addressInUse)
    // Whoever fills the queue and is not accepted.
    var waiting: [End] = []
    for _ in 0..<2 {
      let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
      waiting.append(End(owning: descriptor))
    }
    #expect(error(at: path)?.code == .addressInUse && isThere)
    withExtendedLifetime(waiting) {}
    _ = consume first
    #expect(!isThere && error(at: path) == nil)
  }

  @Test("takes the place of one that is dead, and of no other file")
  func dead() throws {
    // A second name of the file outlives the listener, as the file does that of a process that was killed.
    let first = try Listener(at: FilePath(path))
    let name = path + ".dead"
    #expect(unsafe link(path, name) == 0)
    _ = consume first
    #expect(unsafe access(name, F_OK) == 0)
    #expect(error(at: name) == nil)
    unsafe _ = unlink(name)

    let file = unsafe open(path, O_CREAT | O_WRONLY, 0o600)
    close(file)
    #expect(error(at: path) != nil && isThere, "a plain file stays")
  }

  @Test("leaves the file of another that has taken its place")
  func replaced() throws {
    let first = try Listener(at: FilePath(path))
    unsafe _ = unlink(path)
    let second = try Listener(at: FilePath(path))
    _ = consume first
    #expect(isThere && error(at: path)?.code == .addressInUse)
    _ = consume second
    #expect(!isThere)
  }

  @Test("is one of two that come to a dead socket's name at once, every time", arguments: 0..<40)
  func race(turn: Int) throws {
    let name = "/tmp/spectrap-test-\(getpid())-race-\(turn)"
    defer { unsafe _ = unlink(name) }
    // A dead one: bound, and nobody listens.
    let dead = try Connection.make()
    var address = try sockaddr_un(FilePath(name))
    let bound = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(dead.descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(bound == 0)
    let both = Both()
    let threads = try (0..<2).map { _ in
      try Running {
        both.meet()
        if let box = try? Box(at: name) { both.boxes.withLock { $0.append(box) } }
      }
    }
    for thread in threads { thread.join() }
    let count = both.boxes.withLock { $0.count }
    #expect(count == 1, "\(count) believe that they listen")
    // And whoever connects comes to that one.
    #expect(throws: Never.self) { _ = try Connection(to: FilePath(name)) }
  }

  /// Two threads that begin at the same moment.
  private final class Both: Sendable {
    let boxes = Mutex<[Box]>([])
    private let arrived = Atomic(0)
    func meet() {
      arrived.add(1, ordering: .sequentiallyConsistent)
      while arrived.load(ordering: .sequentiallyConsistent) < 2 {}
    }
  }

  /// A thread in a list.
  private final class Running: Sendable {
    private let thread = Mutex<Thread?>(nil)
    init(_ body: @escaping @Sendable () -> Void) throws {
      var started: Thread? = try Thread(body)
      thread.withLock { swap(&$0, &started) }
    }
    func join() { thread.withLock { $0.take() }?.join() }
  }

  /// A listener that outlives the thread that made it.
  private final class Box: Sendable {
    let listener: Listener
    init(at path: String) throws { listener = try Listener(at: FilePath(path)) }
  }

  @Test("takes and gives nothing where a stranger is at the other end")
  func strangers() throws {
    let rule = PeerRule()
    #expect(rule.accepts(geteuid()) && rule.accepts(0) && !rule.accepts(4_000_000_000))
    #expect(PeerRule(other: 4_000_000_000).accepts(4_000_000_000))
    let listener = try Listener(at: FilePath(path))
    let own = try Connection(to: FilePath(path))
    guard let connection = try listener.accept(unless: { false }) else {
      Issue.record("nobody has connected")
      return
    }
    let strangers = [try own.stranger(among: rule), try connection.stranger(among: rule)]
    #expect(strangers == [nil, nil])
  }
}
