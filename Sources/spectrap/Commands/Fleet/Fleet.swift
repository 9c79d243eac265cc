// `spectrap fleet`: one measurement on many hosts, and what follows from it.

import ArgumentParser

struct FleetGroup: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fleet",
    abstract: "Measures many hosts, and puts their results together.",
    discussion: Help.text(
      "A folder has the results of a fleet, a file for each host.",
      examples: [
        "spectrap fleet run --slurm -- bench --rounds 8",
        "spectrap fleet run --ssh hosts.txt -- bench --rounds 8",
        "spectrap fleet merge fleet/ --output fleet.html",
      ], more: "docs/fleet.md"),
    subcommands: [FleetRun.self, FleetMergeCommand.self])
}
