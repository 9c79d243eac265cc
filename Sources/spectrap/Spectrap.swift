// The command line: what the program is called and what it can do. Each subcommand stands in a file of its own.
// Facts: sysexits.h (EX_OSERR).

import ArgumentParser
import Glibc

@main
struct Spectrap: ParsableCommand {
  /// The version in results; the release script changes this line.
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "spectrap",
    abstract: "Measures what it costs to virtualise IA32_SPEC_CTRL, on this host, under the policy you choose.",
    discussion: Help.text(
      Help.statuses, examples: ["spectrap probe", "spectrap bench", "spectrap help bench"],
      more: "README.md; each command's help names its page"),
    version: Build.text(of: version),
    subcommands: [
      Probe.self, List.self, Run.self, BootCommand.self, Resume.self, Inspect.self, Contract.self, Migrate.self,
      Receive.self, BenchCommand.self, FleetGroup.self, Compare.self, Report.self, Plot.self, Disassemble.self,
    ])

  /// What stands before each error, whoever found it.
  static let _errorPrefix = "spectrap: "

  static func main() {
    Start.prepare()
    guard let words = ProgramArguments.given else {
      Output.error(
        "spectrap: started without its name and arguments, so what to do is not known; pass on at least a name")
      Glibc.exit(Failure.Status.osError.rawValue)
    }
    do {
      var command = try parse(words.dropFirst().map(ProgramArguments.string))
      try command.run()
    } catch {
      end(with: error)
    }
  }

  /// Parses the command line.
  ///
  /// - Throws: What the argument parser throws, and `ValidationError` for an unknown command.
  private static func parse(_ words: [String]) throws -> any ParsableCommand {
    // A word that is no command, of this program or of one of its groups of commands.
    var commands = configuration.subcommands
    for word in words.drop(while: { $0 == "help" }).prefix(while: { !$0.hasPrefix("-") }) where !commands.isEmpty {
      let names = commands.map { $0._commandName }
      guard let command = commands.first(where: { $0._commandName == word }) else {
        throw ValidationError("there is no command \"\(word)\"; give \(Suggestion.text(for: word, among: names))")
      }
      commands = command.configuration.subcommands
    }
    return try parseAsRoot(NegativeNumbers.joined(words))
  }

  /// Prints an error or the requested help, and ends the program: with 0 where help was printed.
  private static func end(with error: any Error) -> Never {
    let status = exitCode(for: error)
    let text = fullMessage(for: error, columns: Terminal.width)
    guard status.isSuccess else {
      if !text.isEmpty { Output.errors(text) }
      Glibc.exit(status.rawValue)
    }
    do { try Output.result(text + "\n") } catch { Glibc.exit(Failure.report(error).rawValue) }
    Glibc.exit(0)
  }
}
