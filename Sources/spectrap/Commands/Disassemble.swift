// `spectrap disassemble`: the listing of a guest.

import ArgumentParser
import GuestImages
import Hypervisor
import Rendering

struct Disassemble: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "disassemble",
    abstract: "Shows a guest's code: address, bytes, mnemonic, comment. Needs no KVM.",
    discussion: Help.text(
      examples: [
        "spectrap disassemble ibrs",
        "spectrap disassemble chatty --entry breakpoint",
      ], more: "docs/guest-abi.md"))

  @Argument(help: .names(of: Workload.Name.self, "The workload."), transform: Workload.Name.argument)
  var workload: Workload.Name

  @Option(
    help: .names(of: Entry.self, "How user mode reaches the kernel; the default is the workload's first."),
    transform: Entry.argument)
  var entry: Entry?

  @Option(
    help: ArgumentHelp("The MSR that the workload is about; the default is its own.", valueName: "name|0xN"),
    transform: MSR.argument)
  var msr: MSR?

  func run() throws {
    try Failure.reporting {
      let workload = Workload(workload, msr: msr)
      let listing = try GuestImage(workload, entry: entry ?? workload.entries[0]).renderListing()
      // A file keeps one line for each instruction.
      guard let columns = Terminal.columns else { return try Output.result(listing) }
      try Output.result(Listing.text(listing, width: columns))
    }
  }
}
