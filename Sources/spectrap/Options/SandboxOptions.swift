// The sandbox of the commands that run a guest which somebody else may have made; what it holds: docs/security.md.

import ArgumentParser
import Experiments
import Measurement
import Sandbox

struct SandboxOptions: ParsableArguments {
  @Flag(
    name: .customLong("no-sandbox"),
    help: "Leave out the sandbox around the guest; it costs some 160 cycles an exit (docs/security.md).")
  var isLeftOut = false

  /// Closes it, unless it is to be left out; what this kernel lacks of it is said.
  ///
  /// - Throws: `SandboxError` when the kernel refuses.
  func close() throws {
    guard !isLeftOut else { return }
    // The terminal is asked while that may be done; the answer is kept.
    _ = Terminal.width
    for lack in try Sandbox.all.close() { Output.error("spectrap: WARNING: \(lack)") }
  }
}

/// The host as a result tells it, looked at while its files can still be read.
enum HostDescription {
  case report(HostReport)
  case summary(String)

  /// All of it for JSON, a line for text.
  init(json: Bool) { self = json ? .report(HostReport()) : .summary(HostReport.summary()) }
}
