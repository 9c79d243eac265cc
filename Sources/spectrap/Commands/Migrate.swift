// `spectrap migrate`: moves a guest to another host, or prints which guests may move where.

import ArgumentParser
import Migration
import Rendering
import SystemPackage

struct Migrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract:
      "Moves a guest, while it runs, to where `spectrap receive` waits; with --plan, says which guests may move.",
    discussion: Help.text(
      """
      Whether it may go there is decided before anything stops (docs/migration.md). Its memory is copied while it runs; \
      then it is stopped for the rest, not longer than --down-time. If either side dies, the guest goes on at the \
      other; over a command it may be lost then, but never runs at both.

      The plan without HOST is about kinds of host: without SPEC_CTRL, with it, and with IBRS_ALL as well. A HOST is a \
      file that `spectrap probe --json` has written there.
      """,
      examples: [
        "spectrap migrate --from guest.snap --to unix:/tmp/there",
        "spectrap migrate --from guest.snap --to 'exec:ssh HOST spectrap receive stdio:'",
        "spectrap migrate --plan",
      ], more: "docs/migration.md"))

  @OptionGroup var move: MoveOptions

  @Flag(help: "Print the decision for each source, destination and policy.")
  var plan = false

  @Argument(
    help: ArgumentHelp("For --plan: what `spectrap probe --json` printed on a host.", valueName: "host.json"),
    transform: FilePath.argument)
  var hosts: [FilePath] = []

  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  @OptionGroup var kvm: KVMOptions

  func validate() throws {
    try Input.check(hosts)
    if plan {
      guard move.isUntouched else {
        throw ValidationError(
          "--plan excludes --from, --to, --policy, --forwarded, --peer-user and --accept-unprotected")
      }
    } else {
      guard hosts.isEmpty else { throw ValidationError("a host's file is for --plan") }
      try move.check()
    }
  }

  func run() throws {
    try Failure.reporting {
      guard plan else { return try move.perform(kvm: kvm, json: json) }
      let offers = try PoolContract.distinct(try hosts.map(HostOffer.read))
      let plan = MigrationPlan(for: offers.isEmpty ? HostClass.allCases.map(\.offer) : offers)
      if json { try Output.json(plan) } else { try Output.document(plan.document(isOfClasses: offers.isEmpty)) }
    }
  }
}
