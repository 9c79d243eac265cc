// Two processes and one guest: it moves while it runs, and whichever side dies at whichever moment, it never goes on at
// both.

import FoundationEssentials
import GuestImages
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Experiments
@testable import Hypervisor
@testable import Migration

@Suite("A migration", .needsKVM, .serialized, .bounded)
struct MigrationTests {
  static let iterations = 12_000
  /// A guest that has done 100 of its iterations, and takes about a second for the others.
  static let guest = Result {
    let file = try TemporaryFile()
    let outcome = try Spectrap.run(
      "run", "ibrs", "--iterations", "\(iterations)", "--samples", "120", "--snapshot-at", "100", file.path)
    guard outcome.status == 0 else { throw ChildError(description: "no guest: \(outcome.errors)") }
    return file
  }

  /// However busy the machine is, no guest is taken back because the destination was slow.
  static let unhurried = ["--down-time", "100000"]

  /// A folder for sockets.
  final class Folder {
    let path: String
    init() throws {
      var template = Array("/tmp/spectrap-test-XXXXXX".utf8CString)
      // Safe: the template ends with a zero, and is changed in place.
      guard unsafe mkdtemp(&template) != nil else { throw ChildError(description: "mkdtemp") }
      path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
    deinit { unsafe _ = rmdir(path) }
  }

  /// What became of the two sides.
  private struct Outcomes {
    let source: Outcome
    let destination: Outcome
    let kinds: [MessageKind]

    /// The sides at which the guest came to its end, with all of its counts.
    var completions: [Side] {
      [(Side.source, source), (.destination, destination)].filter { _, outcome in
        guard let result = try? JSONValue(parsing: outcome.result), result["completed"] == .bool(true) else {
          return false
        }
        return result["exits.byMSR.0x48.writes"]?.count == 2 * iterations
          && result["exits.byReason.portOut"]?.count == 1 && result["guest.kernelEntries"]?.count == iterations
      }.map(\.0)
    }
  }

  /// Moves the guest through a relay that kills a side, or breaks the stream.
  private func migrate(_ death: Death? = nil, cut: Cut? = nil, over carrier: Carrier = .socket) throws -> Outcomes {
    let folder = try Folder()
    let deadline = ContinuousClock.now + Spectrap.patience
    let place = try Place(in: folder.path, carrier)
    let destination = try Child(place.receive + ["--json", "--time-limit", "100"])
    let relay: Relay
    if let pipes = place.pipes {
      relay = Relay(between: pipes, death, cut: cut)
    } else {
      try destination.awaitErrors("waiting for a guest", by: deadline)
      relay = try Relay(at: place.outer, to: place.inner, death, cut: cut)
    }
    relay.watch(destination, as: .destination)
    let source = try Child(
      [Spectrap.path, "migrate", "--from", try Self.guest.get().path, "--json"] + place.to + Self.unhurried)
    relay.watch(source, as: .source)
    let left = try source.outcome(by: deadline)
    relay.join()
    if carrier != .command, death.map(Self.leavesNothing) ?? (cut.map { !Self.arrives($0) } ?? false) {
      // No whole guest has come, so it waits for the next one.
      _ = try destination.interruptWhenReady(by: deadline)
    }
    let right = try destination.outcome(by: deadline)
    place.remove()
    return Outcomes(source: left, destination: right, kinds: relay.kinds)
  }

  @Test("moves the guest while it runs: it ends at the destination with every count of one that never moved")
  func moves() throws {
    let outcomes = try migrate()
    #expect(outcomes.source.status == 0, "\(outcomes.source.errors)")
    #expect(outcomes.destination.status == 0, "\(outcomes.destination.errors)")
    #expect(outcomes.completions == [.destination])
    #expect(outcomes.kinds == Self.kinds)
    let report = try JSONValue(parsing: outcomes.source.output)
    let rounds = try #require(report["rounds"]?.elements)
    // The first round sends what is not zero; the guest writes few pages, and only those go again.
    #expect(rounds[0]["pages"]?.count ?? 0 >= 8)
    for round in rounds.dropFirst() { #expect(round["pages"]?.count ?? .max <= 8) }
    #expect(report["lastPages"]?.count ?? .max <= 8, "what is left when it is stopped is what it has just written")
  }

  private static let kinds: [MessageKind] = [.offer, .proposal, .pages, .state, .ready, .commit, .running]

  private static func step(_ kind: MessageKind) -> Int { kinds.firstIndex(of: kind)! }

  /// Who goes on with the guest when a side dies: nobody where its only host is the one that dies.
  private static func survivor(of death: Death) -> Side? {
    let step = step(death.message)
    let whole = Self.step(.state)
    switch death.victim {
    case .destination:
      // The source lets go when it has read `running`.
      return death.message == .running && death.delivery != .never ? nil : .source
    case .source:
      // The destination has it once it has read `state`.
      let arrived = step > whole || (step == whole && death.delivery != .never)
      return arrived ? .destination : nil
    }
  }

  /// The same where the end of the stream does not say who is dead: the guest is the destination's from `commit` on.
  private static func survivorOverCommand(of death: Death) -> Side? {
    let step = step(death.message)
    let arrives = death.delivery != .never
    return switch death.victim {
    case .destination: step < Self.step(.ready) || death.message == .ready && !arrives ? .source : nil
    case .source: step > Self.step(.commit) || death.message == .commit && arrives ? .destination : nil
    }
  }

  /// Whether a source dies before its guest has come whole.
  private static func leavesNothing(_ death: Death) -> Bool { death.victim == .source && survivor(of: death) == nil }

  /// Whether the guest is the destination's when the stream breaks.
  private static func arrives(_ cut: Cut) -> Bool {
    step(cut.message) > step(.commit) || cut.message == .commit && cut.isDelivered
  }

  private static let deaths: [Death] = kinds.flatMap { message in
    Side.allCases.flatMap { victim in
      Death.Delivery.allCases.map { Death(victim: victim, message: message, delivery: $0) }
    }
  }

  @Test("whose one side dies leaves the guest to the other, or to none, never to both", arguments: deaths)
  func death(_ death: Death) throws {
    let outcomes = try migrate(death)
    let expected = Self.survivor(of: death)
    let (victim, other) =
      death.victim == .source
      ? (outcomes.source, outcomes.destination) : (outcomes.destination, outcomes.source)
    Self.checkVictim(victim, of: death)
    #expect(outcomes.completions == (expected.map { [$0] } ?? []), "\(other.output) \(other.errors)")
    if expected == nil {
      #expect(other.status == (death.victim == .source ? 130 : 0), "\(other.errors)")
    } else {
      #expect(other.status == (death.victim == .source ? 0 : 70), "\(other.errors)")
      if death.victim == .destination { #expect(other.errors.contains("the guest stayed here")) }
    }
  }

  private static func checkVictim(_ victim: Outcome, of death: Death) {
    // A source that has handed the guest over may be done before it is killed.
    let mayBeDone = death.victim == .source && [.commit, .running].contains(death.message)
    #expect(victim.status == 128 + SIGKILL || mayBeDone && victim.status == 0, "it died: \(victim.errors)")
  }

  @Test(
    "over a command, whose one side dies, leaves the guest to the other, or to none, never to both", arguments: deaths)
  func deathOverCommand(_ death: Death) throws {
    let outcomes = try migrate(death, over: .command)
    let expected = Self.survivorOverCommand(of: death)
    let (victim, other) =
      death.victim == .source
      ? (outcomes.source, outcomes.destination) : (outcomes.destination, outcomes.source)
    Self.checkVictim(victim, of: death)
    #expect(outcomes.completions == (expected.map { [$0] } ?? []), "\(other.output) \(other.errors)")
    // It has heard of the guest's fate, or does not know it: 75.
    let isMoved = death.message == .running && death.delivery != .never
    switch (death.victim, expected) {
    case (.source, nil): #expect(other.status == 69, "\(other.errors)")
    case (.source, _): #expect(other.status == 0, "\(other.errors)")
    case (.destination, nil): #expect(other.status == (isMoved ? 0 : 75), "\(other.errors)")
    case (.destination, _):
      #expect(other.status == 70 && other.errors.contains("the guest stayed here"), "\(other.errors)")
    }
  }

  private static let cuts = kinds.flatMap { kind in [true, false].map { Cut(message: kind, isDelivered: $0) } }

  @Test(
    "over a stream that breaks while both sides live never leaves the guest to both",
    arguments: [Carrier.forwardedSocket, .command], cuts)
  func cut(carrier: Carrier, cut: Cut) throws {
    let outcomes = try migrate(cut: cut, over: carrier)
    let errors = "\(outcomes.source.errors) \(outcomes.destination.errors)"
    if Self.arrives(cut) {
      #expect(outcomes.completions == [.destination], "\(errors)")
      #expect(outcomes.source.status == (cut.message == .running && cut.isDelivered ? 0 : 75), "\(errors)")
    } else if cut.message == .commit {
      // Said, and never heard.
      #expect(outcomes.completions == [] && outcomes.source.status == 75, "\(errors)")
    } else if cut.message == .ready, cut.isDelivered {
      // `commit` may or may not have been taken by what broke.
      #expect(outcomes.completions == (outcomes.source.status == 70 ? [.source] : []), "\(errors)")
      #expect([70, 75].contains(outcomes.source.status), "\(errors)")
    } else {
      #expect(outcomes.completions == [.source] && outcomes.source.status == 70, "\(errors)")
    }
  }

  @Test("to where nobody waits leaves the guest at the source, which says so: status 70")
  func nobody() throws {
    let outcome = try Spectrap.run(
      "migrate", "--from", try Self.guest.get().path, "--to", "unix:/nonexistent/socket", "--json")
    #expect(outcome.status == 70 && outcome.errors.contains("the guest stayed here: connecting to /nonexistent/socket"))
    #expect(try JSONValue(parsing: outcome.output)["completed"] == .bool(true))
  }

  @Test("is ordered of a guest that another process runs, again after a failure, and that process lets go of it")
  func ordered() throws {
    let folder = try Folder()
    let (desk, inner) = (folder.path + "/desk", folder.path + "/destination")
    let deadline = ContinuousClock.now + Spectrap.patience
    let runner = try Child([
      Spectrap.path, "run", "ibrs", "--iterations", "20000", "--migratable", "unix:\(desk)", "--json",
    ])
    let destination = try Child([Spectrap.path, "receive", "unix:\(inner)", "--json"])
    try destination.awaitErrors("waiting for a guest", by: deadline)
    while unsafe access(desk, F_OK) != 0 { usleep(1_000) }

    let failed = try Spectrap.run("migrate", "--from", "unix:\(desk)", "--to", "unix:\(folder.path)/nobody")
    failed.expectFailure(70, saying: "the guest goes on where it is", "nobody")
    let moved = try Spectrap.run(
      ["migrate", "--from", "unix:\(desk)", "--to", "unix:\(inner)", "--json"] + Self.unhurried)
    #expect(moved.status == 0, "\(moved.errors)")
    let left = try runner.outcome(by: deadline)
    let report = try JSONValue(parsing: left.output)
    #expect(left.status == 0 && report["kind"] == .string("migration"), "\(left.errors)")
    let right = try destination.outcome(by: deadline)
    let result = try JSONValue(parsing: right.output)
    #expect(right.status == 0 && result["completed"] == .bool(true), "\(right.errors)")
    #expect(result["exits.byMSR.0x48.writes"]?.count == 40_000 && result["origin"] != .null)
  }

  @Test("that is refused leaves the guest where it was, and the destination waiting for the next")
  func refused() throws {
    let folder = try Folder()
    let address = "unix:\(folder.path)/place"
    let deadline = ContinuousClock.now + Spectrap.patience
    // Nobody can send a guest there that is about another MSR.
    let destination = try Child([Spectrap.path, "receive", address, "--json", "--msr", "IA32_KERNEL_GS_BASE"])
    try destination.awaitErrors("waiting for a guest", by: deadline)
    try Spectrap.run("migrate", "--from", try Self.guest.get().path, "--to", address)
      .expectFailure(69, saying: "the guest may not move there", "IA32_KERNEL_GS_BASE")
    try destination.awaitErrors("still waiting", by: deadline)
    _ = try destination.interruptWhenReady(by: deadline)
    let outcome = try destination.outcome(by: deadline)
    #expect(outcome.status == 130 && outcome.errors.contains("no guest had arrived"))
  }

  @Test("to a place where somebody waits already is refused there, and he goes on waiting")
  func taken() throws {
    let folder = try Folder()
    let address = "unix:\(folder.path)/place"
    let deadline = ContinuousClock.now + Spectrap.patience
    let first = try Child([Spectrap.path, "receive", address, "--json"])
    try first.awaitErrors("waiting for a guest", by: deadline)
    try Spectrap.run("receive", address).expectFailure(69, saying: "listening at", "in use")
    let moved = try Spectrap.run(
      ["migrate", "--from", try Self.guest.get().path, "--to", address] + Self.unhurried)
    #expect(moved.status == 0, "\(moved.errors)")
    #expect(try first.outcome(by: deadline).status == 0)
  }

  @Test("whose destination has no timer left leaves the guest at the source: all that can fail is taken before `ready`")
  func noTimer() throws {
    let folder = try Folder()
    let address = "unix:\(folder.path)/place"
    let deadline = ContinuousClock.now + Spectrap.patience
    let destination = try Child([Spectrap.path, "receive", address, "--json"])
    try destination.awaitErrors("waiting for a guest", by: deadline)
    let limit = try Child(["prlimit", "--pid", "\(destination.pid)", "--sigpending=0"]).outcome(by: deadline)
    try #require(limit.status == 0, "\(limit.errors)")
    let source = try Spectrap.run(
      ["migrate", "--from", try Self.guest.get().path, "--to", address, "--json"] + Self.unhurried)
    #expect(source.status == 70 && source.errors.contains("the guest stayed here"), "\(source.errors)")
    #expect(try JSONValue(parsing: source.output)["completed"] == .bool(true))
    let other = try destination.outcome(by: deadline)
    #expect(other.status != 0 && other.output.isEmpty && other.errors.contains("time limit"), "\(other.errors)")
  }

  @Test("that would stop the guest for longer than it may be stopped leaves it at the source")
  func downTime() throws {
    let folder = try Folder()
    let (inner, outer) = (folder.path + "/destination", folder.path + "/slow")
    let deadline = ContinuousClock.now + Spectrap.patience
    let destination = try Child([Spectrap.path, "receive", "unix:\(inner)", "--json"])
    try destination.awaitErrors("waiting for a guest", by: deadline)
    // The state comes so late that no guest may be stopped for it.
    let relay = try Relay(at: outer, to: inner, nil, delaying: .state, by: .milliseconds(800))
    let source = try Spectrap.run(
      "migrate", "--from", try Self.guest.get().path, "--to", "unix:\(outer)", "--json", "--down-time", "400")
    relay.join()
    #expect(source.status == 70 && source.errors.contains("--down-time"), "\(source.errors)")
    #expect(try JSONValue(parsing: source.output)["completed"] == .bool(true))
    let other = try destination.outcome(by: deadline)
    #expect(other.status == 69 && other.errors.contains("keeps its guest"), "\(other.errors)")
  }

  @Test("proposed by one who then goes, or by one who wants a gigabyte, keeps nobody else out")
  func brokenOff() throws {
    let folder = try Folder()
    let path = folder.path + "/place"
    let deadline = ContinuousClock.now + Spectrap.patience
    let destination = try Child([Spectrap.path, "receive", "unix:\(path)", "--json"])
    try destination.awaitErrors("waiting for a guest", by: deadline)
    do {
      let bomb = try Sender(to: FilePath(path))
      _ = try bomb.offer()
      try bomb.propose(memory: [GuestPhysicalRange(start: 0, count: 1 << 30)])
      // The refusal says why.
      let end = #expect(throws: TransferError.self) {
        while true { try bomb.send([try #require(GuestPage(address: 0, bytes: Array(repeating: 1, count: 4096)))]) }
      }
      #expect("\(end.map { "\($0)" } ?? "")".contains("1073741824 bytes"))
    }
    try destination.awaitErrors("still waiting", by: deadline)
    do {
      let short = try Sender(to: FilePath(path))
      _ = try short.offer()
      try short.propose(memory: [GuestPhysicalRange(start: 0, count: Layout.memorySize)])
    }
    let moved = try Spectrap.run(
      ["migrate", "--from", try Self.guest.get().path, "--to", "unix:\(path)"] + Self.unhurried)
    #expect(moved.status == 0, "\(moved.errors)")
    #expect(try destination.outcome(by: deadline).status == 0)
  }

  @Test("of a guest that pauses itself on the way is an error at the source, and nobody has it")
  func selfPaused() throws {
    // OUT to the port of the pause, where the guest goes on: it runs in ring 0 there, its addresses physical ones.
    let file = try Self.guest.get()
    var snapshot = try ExperimentSnapshot(
      decoding: Array(try Data(contentsOf: URL(filePath: file.path))))
    let rip = snapshot.guest.machine.cpu.rip
    let index = try #require(snapshot.pages.firstIndex { $0.address.rawValue == rip & ~0xfff })
    var bytes = snapshot.pages[index].bytes
    let code: [UInt8] = [0xe6, Port.pause]
    for (offset, byte) in code.enumerated() { bytes[Int(rip & 0xfff) + offset] = byte }
    snapshot.pages[index] = try #require(GuestPage(address: snapshot.pages[index].address, bytes: bytes))
    let crafted = try TemporaryFile()
    try Data(try snapshot.encoded()).write(to: URL(filePath: crafted.path))

    let folder = try Folder()
    let address = "unix:\(folder.path)/place"
    let deadline = ContinuousClock.now + Spectrap.patience
    let destination = try Child([Spectrap.path, "receive", address, "--json"])
    try destination.awaitErrors("waiting for a guest", by: deadline)
    let source = try Spectrap.run(
      ["migrate", "--from", crafted.path, "--to", address, "--json"] + Self.unhurried)
    #expect(source.status == 70 && source.output.isEmpty, "\(source.errors)")
    try destination.awaitErrors("still waiting", by: deadline)
    _ = try destination.interruptWhenReady(by: deadline)
    #expect(try destination.outcome(by: deadline).status == 130)
  }

  @Test("with an address that is none, or without one, is refused: status 64")
  func usage() throws {
    try Spectrap.run("migrate", "--from", "x").expectUsageError(saying: ["--to"])
    try Spectrap.run("migrate", "--from", "x", "--to", "tcp:1").expectUsageError(saying: ["unix:"])
    try Spectrap.run("migrate", "--from", "x", "--to", "exec: ").expectUsageError(saying: ["exec:", "command"])
    try Spectrap.run("migrate", "--from", "x", "--to", "exec:true", "--forwarded")
      .expectUsageError(saying: ["--forwarded"])
    try Spectrap.run("receive", "/tmp/x").expectUsageError(saying: ["unix:", "stdio:"])
    try Spectrap.run("receive", "stdio:", "--peer-user", "1").expectUsageError(saying: ["--peer-user"])
  }
}
