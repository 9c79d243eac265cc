// `spectrap migrate`: a guest moves to another host.

import ArgumentParser
import Migration

struct Migrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Moves a guest, while it runs, to a host where `spectrap receive` waits.",
    discussion: """
      Whether it may go there is decided before anything stops. Its memory is copied while it runs; then it is stopped for \
      the rest. If either side dies, the guest goes on at the other.
      """)

  @OptionGroup var move: MoveOptions

  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  @OptionGroup var kvm: KVMOptions

  func validate() throws { try move.check() }

  func run() throws {
    try Failure.reporting { try move.perform(kvm: kvm, json: json) }
  }
}
