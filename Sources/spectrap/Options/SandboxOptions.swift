// The sandbox of commands that run guests of unknown origin; docs/security.md describes it.

import ArgumentParser
import Experiments
import Measurement
import Migration
import Sandbox

struct SandboxOptions: ParsableArguments {
  @Flag(
    name: .customLong("no-sandbox"),
    help: "Leave out the sandbox around the guest; it costs some 160 cycles an exit (docs/security.md).")
  var isLeftOut = false

  /// Enters the sandbox, unless it is left out, and warns about parts that this kernel lacks.
  ///
  /// - Throws: `SandboxError` when the kernel refuses.
  func enter() throws {
    guard !isLeftOut else { return }
    // The sandbox does not allow asking the terminal, so its width is stored before.
    _ = Terminal.width
    for lack in try Sandbox.all.enter(awaiting: CarrierCommand.processes) { Output.error("spectrap: WARNING: \(lack)") }
  }
}

/// The host's description for a result, made before the sandbox hides the host's files.
enum HostDescription {
  case report(HostReport, ResultIdentity), summary(String)

  /// The whole report and the identity of the result for JSON, one line for text.
  init(json: Bool, _ identity: IdentityOptions) {
    self = json ? .report(HostReport(), identity.begin()) : .summary(HostReport.summary())
  }
}
