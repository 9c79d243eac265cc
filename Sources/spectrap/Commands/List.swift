// `spectrap list`: workloads, entries and policies, and what this host can run of them.

import ArgumentParser
import Experiments
import Hypervisor
import Rendering

struct List: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists workloads, entries, policies and images, and whether this host can run them.",
    discussion: Help.text(
      examples: [
        "spectrap list",
        "spectrap list --json",
      ], more: "docs/glossary.md"))

  @OptionGroup var kvm: KVMOptions
  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  func run() throws {
    try Failure.reporting {
      var device: KVM?
      var lack: (any Error)?
      do { device = try kvm.open() } catch { lack = error }
      let inventory = Inventory.prove(on: device.take())
      if json {
        try Output.json(inventory)
      } else {
        try Output.document(inventory.document)
      }
      if let lack { Output.error("spectrap: nothing was tried on this host: \(lack)") }
      if let failure = inventory.failure { throw failure }
    }
  }
}
