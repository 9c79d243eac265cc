// How long one side waits for the other.

import SystemPackage
import Testing

@testable import Migration

@Suite("Patience with the other side", .timeLimit(.minutes(5)))
struct PatienceTests {
  @Test("ends in time with one that is silent, and with one that says a byte now and then")
  func ends() async throws {
    let message = Message.made(.abort, [UInt8](repeating: 0x61, count: 1000))
    // A whole message, a byte in each millisecond: it is there after a second.
    for drips in [0, message.count] {
      let ends = try makeStream()
      let (here, there) = (End(owning: ends.here), End(owning: ends.there))
      let dripping = Task.detached {
        for byte in message.prefix(drips) {
          // The other side hangs up in the end.
          guard (try? there.connection.send([byte])) != nil else { return }
          try? await Task.sleep(for: .milliseconds(1))
        }
      }
      #expect(throws: TransferError.socket(SocketError(what: "waiting", code: .timedOut))) {
        _ = try here.connection.message(within: .milliseconds(200))
      }
      dripping.cancel()
    }
  }

  @Test("is not needed where the whole message is there")
  func whole() throws {
    let connection = try connection(saying: Message.made(.abort, Array("enough".utf8)))
    #expect(try connection.message(within: .seconds(20)).text == "enough")
  }
}
