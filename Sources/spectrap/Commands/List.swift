// `spectrap list`: workloads, entries and policies, and what this host can run of them.

import ArgumentParser
import Experiments
import Hypervisor
import Rendering

struct List: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists workloads, entries, policies and images, and whether this host can run them.")

  @OptionGroup var kvm: KVMOptions
  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  func run() throws {
    try Failure.reporting {
      let inventory = Inventory.prove(on: try? kvm.open())
      if json {
        try Output.json(inventory)
      } else {
        try Output.result(inventory.document.text(width: Terminal.width) + "\n")
      }
      if let failure = inventory.failure { throw failure }
    }
  }
}
