// `spectrap contract`: the largest contract under which a guest can run on every host of a pool.

import ArgumentParser
import Migration
import Rendering
import SystemPackage

struct Contract: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "contract",
    abstract: "Makes the largest contract under which a guest can run on each of several hosts.",
    discussion: Help.text(
      """
      A contract is what a guest sees of CPUID and IA32_ARCH_CAPABILITIES. Each argument is the output of \
      `spectrap probe --json` on one host; the file's name names the host. `spectrap run --contract FILE` starts a \
      guest under the contract that --output wrote.
      """,
      examples: [
        "spectrap contract one.json two.json",
        "spectrap contract one.json two.json --output pool.json",
      ], more: "docs/migration.md"))

  @Argument(
    help: ArgumentHelp("The output of `spectrap probe --json` on a host.", valueName: "host.json"),
    transform: FilePath.argument)
  var hosts: [FilePath]

  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  @Option(
    help: ArgumentHelp("Write the contract as JSON; - is standard output.", valueName: "file"),
    transform: FilePath.argument)
  var output: FilePath?

  func validate() throws { try Input.check(hosts) }

  func run() throws {
    try Failure.reporting {
      let file = try output.map { try ResultFile($0) }
      let contract = try PoolContract(of: try hosts.map(HostOffer.read))
      try file?.write(try contract.jsonText())
      if json { try Output.json(contract) } else { try Output.document(contract.document) }
    }
  }
}
