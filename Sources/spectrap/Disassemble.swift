// `spectrap disassemble`: the listing of a guest.

import ArgumentParser
import GuestImages
import Hypervisor
import Measurement

struct Disassemble: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "disassemble",
    abstract: "Shows a guest's code: address, bytes, mnemonic, comment. Needs no KVM.")

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
      try Output.result(
        listing.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
          .map { Self.fitted(String($0), to: columns) }.joined())
    }
  }

  /// A line of the listing in lines of so many columns: a comment that does not fit goes on below where it begins, or
  /// where there is no room for that, below the code.
  private static func fitted(_ line: String, to width: Int) -> String {
    guard line.count > width, let mark = line.firstRange(of: "; ") else { return line + "\n" }
    var code = String(line[..<mark.lowerBound])
    let comment = String(line[mark.upperBound...])
    let column = code.count + 2
    if width - column >= 24 { return comment.wrapped(width: width, first: code + "; ", indent: column) }
    while code.last == " " { code.removeLast() }
    return code + "\n" + comment.wrapped(width: width, first: "          ; ", indent: 12)
  }
}
