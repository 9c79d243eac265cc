// `spectrap disassemble`: the listing of a guest.

import ArgumentParser
import GuestImages
import Hypervisor

struct Disassemble: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "disassemble",
    abstract: "Shows a guest's code: address, bytes, mnemonic, comment. Needs no KVM.")

  @Argument(help: "The workload.")
  var workload: Workload.Name

  @Option(help: "How user mode reaches the kernel; the default is the workload's first.")
  var entry: Entry?

  @Option(
    help: ArgumentHelp("The MSR that the workload is about; the default is its own.", valueName: "name|0xN"),
    transform: MSR.argument)
  var msr: MSR?

  func run() throws {
    try Failure.reporting {
      let workload = Workload(workload, msr: msr?.rawValue)
      try Output.result(try GuestImage(workload, entry: entry ?? workload.entries[0]).renderListing())
    }
  }
}
