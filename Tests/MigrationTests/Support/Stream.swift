// A stream whose other end is the test's.

import Experiments
import Glibc
import SystemPackage
import Testing

@testable import Migration

/// One end of a stream, for any thread.
final class End: Sendable {
  let connection: Connection
  init(owning descriptor: CInt, failing fault: (@Sendable (SocketCall) -> Errno?)? = nil) {
    connection = Connection(owning: descriptor, failing: fault)
  }
}

/// Makes both ends of a stream.
func makeStream() throws -> (here: CInt, there: CInt) {
  var ends: (CInt, CInt) = (-1, -1)
  // Safe: room for two descriptors.
  let result = unsafe withUnsafeMutableBytes(of: &ends) {
    unsafe socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, $0.assumingMemoryBound(to: CInt.self).baseAddress!)
  }
  try #require(result == 0)
  return ends
}

/// Makes an end of a stream on which these bytes come, and then its end.
func connection(saying bytes: [UInt8]) throws -> Connection {
  let ends = try makeStream()
  let here = Connection(owning: ends.here)
  let there = Connection(owning: ends.there)
  // More than a socket takes, and the test would wait for ever.
  try #require(bytes.count < 100_000)
  try there.send(bytes, by: .now + .seconds(60))
  _ = consume there
  return here
}

/// What a destination makes of these bytes; throws what it throws.
func received(_ bytes: [UInt8]) throws -> ExperimentSnapshot {
  // Its greeting may find nobody, which is not what this is about.
  try Receiver(hearing: connection(saying: bytes)).receive(as: ExperimentState.self, unless: { false })
}
