// A stream whose other end is the test's: all that it says has been said, and it has closed.

import Experiments
import Glibc
import Testing

@testable import Migration

/// Makes an end of a stream on which these bytes come, and then its end.
func connection(saying bytes: [UInt8]) throws -> Connection {
  var ends: (CInt, CInt) = (-1, -1)
  // Safe: room for two descriptors.
  let result = unsafe withUnsafeMutableBytes(of: &ends) {
    unsafe socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, $0.assumingMemoryBound(to: CInt.self).baseAddress!)
  }
  try #require(result == 0)
  let here = Connection(owning: ends.0)
  let there = Connection(owning: ends.1)
  // More than a socket takes, and the test would wait for ever.
  try #require(bytes.count < 100_000)
  try there.send(bytes)
  _ = consume there
  return here
}

/// What a destination makes of these bytes; throws what it throws.
func received(_ bytes: [UInt8]) throws -> ExperimentSnapshot {
  // Its greeting may find nobody, which is not what this is about.
  try Receiver(hearing: connection(saying: bytes)).receive(as: ExperimentState.self, unless: { false })
}
