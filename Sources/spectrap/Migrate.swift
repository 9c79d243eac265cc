// `spectrap migrate`: whether a guest may move, decided before anything stops.

import ArgumentParser
import Migration

struct Migrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Says which guests may move between hosts, and why others may not (docs/migration.md).",
    discussion: """
      Without HOST the plan is about kinds of host: without SPEC_CTRL, with it, and with IBRS_ALL as well. A HOST is a \
      file that `spectrap probe --json` has written there.
      """)

  @Flag(help: "Print the decision for each source, destination and policy.")
  var plan = false

  @Argument(help: ArgumentHelp("What `spectrap probe --json` printed on a host.", valueName: "host.json"))
  var hosts: [String] = []

  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  func validate() throws {
    guard plan else { throw ValidationError("give --plan") }
  }

  func run() throws {
    try Failure.reporting {
      let offers = try hosts.map(HostOffer.read)
      let plan = MigrationPlan(for: offers.isEmpty ? HostClass.allCases.map(\.offer) : offers)
      if json { try Output.json(plan) } else { try Output.result(plan.text(isOfClasses: offers.isEmpty)) }
    }
  }
}
