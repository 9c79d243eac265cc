// A guest whose clock ran at another rate elsewhere than it can here.

import FoundationEssentials
import TestSupport
import Testing

@testable import Experiments
@testable import Hypervisor
@testable import Migration

@Suite("A guest with another clock", .needsKVM)
struct ClockTests {
  /// Whether this host's KVM gives guests their own rate, in which case nothing here can differ.
  private static let scales: Bool = {
    guard let kvm = try? KVM(), let clock = try? GuestClock.prove(on: kvm) else { return true }
    return clock.canScale
  }()

  /// A guest of this host whose snapshot says that its clock ran faster by this many parts in a million; under a pool's
  /// contract it was not told INVARIANT_TSC.
  private func guest(fasterBy parts: Int, underContract: Bool) throws -> TemporaryFile {
    let (host, contract, file) = (try TemporaryFile(), try TemporaryFile(), try TemporaryFile())
    var options: [String] = []
    if underContract {
      _ = try Spectrap.run(["probe", "--json"], outputPath: host.path)
      try #require(try Spectrap.run("contract", host.path, "--output", contract.path).status == 0)
      options = ["--contract", contract.path]
    }
    let outcome = try Spectrap.run(["run", "bare", "--iterations", "40", "--snapshot-at", "20", file.path] + options)
    try #require(outcome.status == 0, "\(outcome.errors)")
    var snapshot = try ExperimentSnapshot(decoding: Array(try Data(contentsOf: URL(filePath: file.path))))
    let rate = try #require(snapshot.guest.machine.cpu.tscKilohertz)
    let changed = try JSONValue(encoding: snapshot.guest).replacing(
      "machine.cpu.tscKilohertz", with: .integer(Int128(rate + rate / 1_000_000 * parts)))
    snapshot.guest = try JSONDecoder().decode(type(of: snapshot.guest), from: Data(changed.bytes))
    try Data(try snapshot.encoded()).write(to: URL(filePath: file.path))
    return file
  }

  @Test("that was told INVARIANT_TSC goes on only where that is accepted, and says so", .disabled(if: scales))
  func invariant() throws {
    let offer = try HostOffer.prove(on: try KVM())
    guard offer.cpuid.has(.invariantTSC) else { return }
    let file = try guest(fasterBy: 300_000, underContract: false)
    try Spectrap.run("resume", file.path).expectFailure(69, saying: "INVARIANT_TSC", "cannot scale")
    let accepted = try Spectrap.run("resume", file.path, "--accept-unprotected", "--json")
    #expect(accepted.status == 0, "\(accepted.errors)")
    let warnings = try JSONValue(parsing: accepted.output)["warnings"]?.elements ?? []
    #expect(warnings.count == 1 && warnings[0].name.contains("INVARIANT_TSC"))
  }

  @Test("that was not told it goes on, and is warned of ever after", .disabled(if: scales))
  func variant() throws {
    let file = try guest(fasterBy: 300_000, underContract: true)
    let outcome = try Spectrap.run("resume", file.path, "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let warnings = try JSONValue(parsing: outcome.output)["warnings"]?.elements ?? []
    #expect(warnings.count == 1 && warnings[0].name.contains("cannot scale"), "\(warnings)")
  }

  @Test("within 250 parts in a million is the same clock")
  func same() throws {
    let file = try guest(fasterBy: 200, underContract: false)
    let outcome = try Spectrap.run("resume", file.path, "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try JSONValue(parsing: outcome.output)["warnings"] == .array([]))
  }
}
