// `spectrap inspect`: shows a snapshot. Needs no KVM.

import ArgumentParser
import Experiments
import Migration
import Rendering
import SystemPackage

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Shows the contents of a snapshot file. Needs no KVM.",
    discussion: Help.text(
      examples: [
        "spectrap inspect guest.snap",
        "spectrap inspect guest.snap --json",
      ], more: "docs/snapshots.md"))

  @Argument(help: "The file.", transform: FilePath.argument)
  var file: FilePath

  @Flag(help: "Print the guest's state as JSON (docs/json.md), without its memory.")
  var json = false

  func run() throws {
    try Failure.reporting {
      let snapshot = try ExperimentSnapshot.read(file)
      // Also made for JSON, because it rejects a state that belongs to no experiment.
      let document = try snapshot.document()
      if json { try Output.json(snapshot.guest) } else { try Output.document(document) }
    }
  }
}
