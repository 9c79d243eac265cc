// `spectrap inspect`: what a snapshot holds. Needs no KVM.

import ArgumentParser
import Experiments
import Measurement
import Migration
import SystemPackage

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Shows what the file of a snapshot holds. Needs no KVM.")

  @Argument(help: "The file.", transform: FilePath.argument)
  var file: FilePath

  @Flag(help: "Print the guest's state as JSON (docs/json.md), without its memory.")
  var json = false

  func run() throws {
    try Failure.reporting {
      let snapshot = try SnapshotInput.read(file)
      // Also where it is printed as it stands: what is of no experiment is no snapshot.
      let facts = try snapshot.summary()
      if json { return try Output.json(snapshot.guest) }
      var table = TextTable()
      for fact in facts { table.add(fact.name, fact.text) }
      try Output.result(table.text(width: Terminal.width))
    }
  }
}
