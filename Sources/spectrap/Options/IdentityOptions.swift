// What a result calls the host that it is of.

import ArgumentParser
import FoundationEssentials
import Host
import Measurement
import Migration

struct IdentityOptions: ParsableArguments {
  @Option(
    name: .customLong("host-id"),
    help: ArgumentHelp(
      "What the result calls this host (default: its hostname and machine-id, hashed).", valueName: "id"),
    transform: Self.id)
  var hostID: String?

  @Flag(help: "Call this host by its hostname in the result.")
  var plainHost = false

  func validate() throws {
    guard hostID == nil || !plainHost else {
      throw ValidationError("--host-id and --plain-host are two names for one host; leave out one")
    }
  }

  /// The identity of a result whose measurement begins now.
  func begin() -> ResultIdentity {
    let hostname = HostKernel.hostname() ?? "unknown"
    // Together: a name such as localhost repeats, and so does the machine-id of an image that was copied.
    let machine = HostFiles().value("etc/machine-id") ?? ""
    return ResultIdentity(
      host: hostID ?? (plainHost ? hostname : ResultIdentity.hidden("\(hostname)\n\(machine)")),
      began: Date.now.formatted(.iso8601),
      run: .random(in: 0...UInt64.max))
  }

  @Sendable private static func id(_ text: String) throws -> String {
    if !text.isEmpty, text.isPlain, text.utf8.count <= ResultIdentity.longestHost { return text }
    throw ValidationError("give 1 to \(ResultIdentity.longestHost) bytes of text that can be printed")
  }
}
