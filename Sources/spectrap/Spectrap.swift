// The command line: what the program is called and what it can do. Each subcommand stands in a file of its own.

import ArgumentParser

@main
struct Spectrap: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "spectrap",
    abstract: "Measures what it costs to virtualise IA32_SPEC_CTRL, on this host, under the policy you choose.",
    version: "0.1.0",
    subcommands: [
      Probe.self, List.self, Run.self, Resume.self, Inspect.self, Contract.self, Migrate.self, Receive.self,
      BenchCommand.self, Compare.self, Plot.self, Disassemble.self,
    ])

  static func main() {
    Start.prepare()
    main(ProgramArguments.given.dropFirst().map(ProgramArguments.string))
  }
}
