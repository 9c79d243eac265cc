// Who waits at a path, and whose file stands there.

import Glibc
import SystemPackage
import Testing

@testable import Migration

@Suite("A listener at a path", .timeLimit(.minutes(5)))
struct ListenerTests: ~Copyable {
  private let path = "/tmp/spectrap-test-\(getpid())-listener"

  init() { unsafe _ = unlink(path) }
  deinit { unsafe _ = unlink(path) }

  private var isThere: Bool { unsafe access(path, F_OK) == 0 }

  private func error(at path: String) -> SocketError? {
    do throws(SocketError) { _ = try Listener(at: path) } catch { return error }
    return nil
  }

  @Test("keeps the path to itself while it is there, also when so many wait that it cannot be connected to")
  func taken() throws {
    let first = try Listener(at: path)
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
    let first = try Listener(at: path)
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
    let first = try Listener(at: path)
    unsafe _ = unlink(path)
    let second = try Listener(at: path)
    _ = consume first
    #expect(isThere && error(at: path)?.code == .addressInUse)
    _ = consume second
    #expect(!isThere)
  }
}
