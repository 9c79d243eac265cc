// `spectrap migrate`: moves a guest to another host, or prints which guests may move where.

import ArgumentParser
import Migration
import Rendering
import SystemPackage

struct Migrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract:
      "Moves a guest, while it runs, to a waiting `spectrap receive`; with --plan, says which guests may move.",
    discussion: Help.text(
      """
      Whether the guest may move is decided before it is stopped (docs/migration.md). Its memory is copied while it \
      runs; then it is stopped for the rest, for no longer than --down-time. If one side dies, the guest continues on \
      the other; over exec: it may be lost, but it never runs on both.

      Without files of hosts, the plan is about three kinds of host: without SPEC_CTRL, with it, and with IBRS_ALL as \
      well. A host's file is the output of `spectrap probe --json` there.
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
    help: ArgumentHelp("For --plan: the output of `spectrap probe --json` on a host.", valueName: "host.json"),
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
      guard hosts.isEmpty else { throw ValidationError("the files of hosts are for --plan; leave them out") }
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
