// Guests that are paused on one host and go on at another: what the decision allows goes on with exact counts, what it
// refuses is refused with the reason, in both directions.

import FoundationEssentials
import Measurement
import Registers
import TestSupport
import Testing

@Suite("A guest on its way between hosts", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct JourneyTests {
  private static let iterations: UInt64 = 1000

  /// What each host did with the guests that came to it.
  private struct Journey: Sendable {
    var departures: [String: Command]
    var atOld: [String: Command]
    var atIBRS: [String: Command]
    var back: [String: Command]
  }

  /// From `intel` to `intel-old` and `intel-ibrs`, and from `intel-old` to `intel`.
  private static let journey = Task<Journey, any Error> {
    let (first, second) = (try TemporaryFolder(), try TemporaryFolder())
    defer {
      first.remove()
      second.remove()
    }
    var hosts: [String] = []
    for host in [LabHost.intel, LabHost.intelOld] {
      hosts.append(try first.write(try await host.result("probe").output, to: "\(host.name).json"))
    }
    let contract = first.path + "/contract.json"
    let made = try await Command.run(
      ".build-static/spectrap", ["contract"] + hosts + ["--output", contract], timeLimit: .seconds(60))
    guard made.status == 0 else { throw Command.Failure(description: made.error) }

    let departures = try await LabHost.boot(
      "intel",
      [
        ("own", paused("ibrs", "--policy passthrough", to: "own.snap")),
        ("emulated", paused("ibrs", "--policy emulate", to: "emulated.snap")),
        ("pooled", paused("retpoline", "--policy emulate --contract contract.json", to: "pooled.snap")),
        ("stayed-own", "spectrap resume own.snap --json"),
        ("stayed-emulated", "spectrap resume emulated.snap --json"),
        ("other-policy", "spectrap resume emulated.snap --policy passthrough --json"),
        ("long", "spectrap run ibrs --entry syscall --iterations 30000 --snapshot-at 10 long.snap"),
        (
          "moved",
          "sh -c 'spectrap receive unix:/s --json & sleep 1; spectrap migrate --from long.snap --to unix:/s --down-time 100000 >&2; wait'"
        ),
      ], files: [contract], wanted: ["own.snap", "emulated.snap", "pooled.snap"], into: first)
    let guests = ["own", "emulated", "pooled"].map { "\(first.path)/\($0).snap" }
    async let atOld = LabHost.boot(
      "intel-old",
      arrivals(["own", "emulated", "pooled"]) + [
        ("left", paused("ibrs", "--policy emulate", to: "left.snap")),
        ("left-pooled", paused("retpoline", "--policy emulate --contract contract.json", to: "left-pooled.snap")),
      ], files: guests + [contract], wanted: ["left.snap", "left-pooled.snap"], into: second)
    async let atIBRS = LabHost.boot(
      "intel-ibrs",
      arrivals(["own", "emulated"]) + [
        ("opened", paused("ibrs", "--policy adaptive", to: "open.snap")),
        ("reopened", "spectrap resume open.snap --json"),
      ], files: Array(guests.prefix(2)))
    let (old, ibrs) = try await (atOld, atIBRS)
    let back = try await LabHost.boot(
      "intel", arrivals(["left", "left-pooled"]),
      files: ["left", "left-pooled"].map { "\(second.path)/\($0).snap" })
    return Journey(departures: departures, atOld: old, atIBRS: ibrs, back: back)
  }

  private static func paused(_ workload: String, _ options: String, to file: String) -> String {
    "spectrap run \(workload) --entry syscall \(options) --iterations \(iterations) --snapshot-at 400 \(file)"
  }

  /// Each guest as it comes, and with what it loses accepted.
  private static func arrivals(_ guests: [String]) -> [(name: String, command: String)] {
    guests.flatMap { guest in
      [
        (guest, "spectrap resume \(guest).snap --json"),
        ("\(guest)-accepted", "spectrap resume \(guest).snap --accept-unprotected --json"),
      ]
    }
  }

  /// Holds a report to what a guest that was never stopped ends with.
  private func expectWhole(
    _ report: RunReport, writes: UInt64, entries: UInt64 = Self.iterations, _ what: Comment
  ) {
    #expect(report.completed && report.guest.kernelEntries == entries, what)
    #expect(report.exits.byReason == (writes == 0 ? ["portOut": 1] : ["writeMSR": writes, "portOut": 1]), what)
    #expect(report.origin != nil, what)
  }

  @Test func `goes on where it was paused, on the same kind of host, with the counts of one that was never stopped`()
    async throws
  {
    let here = try await Self.journey.value.departures
    for name in ["own", "emulated", "pooled", "long"] {
      #expect(here[name]?.status == 0, "\(here[name]?.error ?? name)")
    }
    expectWhole(try #require(here["stayed-own"]).report(), writes: 0, "own")
    expectWhole(try #require(here["stayed-emulated"]).report(), writes: 2 * Self.iterations, "emulated")
    // Until the pause its writes were trapped.
    expectWhole(try #require(here["other-policy"]).report(), writes: 800, "under another policy")
  }

  @Test func `moves while it runs, with exact counts`() async throws {
    let moved = try #require(try await Self.journey.value.departures["moved"])
    expectWhole(try moved.report(), writes: 60_000, entries: 30_000, "\(moved.error)")
    #expect(moved.error.contains("The guest runs at"), "\(moved.error)")
  }

  @Test func `is refused on a host without SPEC_CTRL when it was told of it, whatever is accepted`() async throws {
    let old = try await Self.journey.value.atOld
    for guest in ["own", "own-accepted", "emulated", "emulated-accepted"] {
      let refused = try #require(old[guest])
      #expect(refused.status == 69)
      for words in ["SSBD", "which the destination's KVM does not offer"] {
        #expect(refused.error.contains(words), "\(guest): \(refused.error)")
      }
    }
  }

  @Test func `under the pool's contract goes on without IBRS_ALL only where that is accepted, and says so`()
    async throws
  {
    let old = try await Self.journey.value.atOld
    let refused = try #require(old["pooled"])
    #expect(refused.status == 69 && refused.error.contains("--accept-unprotected"), "\(refused.error)")
    let report = try #require(old["pooled-accepted"]).report()
    expectWhole(report, writes: 0, "pooled")
    #expect(report.warnings.count == 1 && report.protection.level == ProtectionLevel.none)
  }

  @Test func `may not be told IBRS_ALL where leaving IBRS set is all there is, unless that is accepted`() async throws {
    let ibrs = try await Self.journey.value.atIBRS
    let own = try #require(ibrs["own"])
    #expect(own.status == 69 && own.error.contains("leaving IBRS set does not replace"), "\(own.error)")
    let emulated = try #require(ibrs["emulated"])
    #expect(emulated.status == 69 && emulated.error.contains("IBRS_ALL"), "\(emulated.error)")
    for (guest, writes) in [("own-accepted", 0), ("emulated-accepted", 2 * Self.iterations)] {
      let report = try #require(ibrs[guest]).report()
      expectWhole(report, writes: writes, "\(guest)")
      #expect(report.warnings.contains { $0.contains("IBRS_ALL") }, "\(guest): \(report.warnings)")
      #expect(report.guest.told.ibrsAll == true, "what it was told stays")
    }
  }

  @Test func `under adaptive with its register open goes on with it open`() async throws {
    let ibrs = try await Self.journey.value.atIBRS
    #expect(ibrs["opened"]?.status == 0)
    let report = try #require(ibrs["reopened"]).report()
    #expect(report.completed && report.guest.kernelEntries == Self.iterations)
    #expect(
      report.policyTally["opens"] == 1 && report.policyTally["closes"] == 0 && report.policyTally["openAtEnd"] == 1)
    #expect(report.msr.end == 0, "what it wrote last")
  }

  @Test func `without IBRS_ALL moves to a host that has it, and is better protected there`() async throws {
    let journey = try await Self.journey.value
    #expect(journey.atOld["left-pooled"]?.status == 0)
    let report = try #require(journey.back["left-pooled"]).report()
    expectWhole(report, writes: 0, "from intel-old")
    #expect(report.warnings == [] && report.protection.level == .always)
    // Told all that intel-old offers, which is not all that intel offers.
    let all = try #require(journey.back["left"])
    #expect(all.status == 69 && all.error.contains("the guest was told"), "\(all.error)")
  }
}
