// `spectrap fleet`: one measurement on many hosts, and what follows from it.

import ArgumentParser

struct FleetGroup: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fleet",
    abstract: "Measures many hosts, and merges their results.",
    discussion: Help.text(
      "The results of a fleet are files in one folder, named after the hosts.",
      examples: [
        "spectrap fleet run --slurm -- bench --rounds 8",
        "spectrap fleet run --ssh hosts.txt -- bench --rounds 8",
        "spectrap fleet merge fleet/ --output fleet.html",
      ], more: "docs/fleet.md"),
    subcommands: [FleetRun.self, FleetMergeCommand.self])
}
