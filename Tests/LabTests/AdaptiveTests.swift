// adaptive on real kvm_intel: it opens after exactly as many writes as make up the price, closes again, and hands every
// value over.

import Measurement
import Registers
import TestSupport
import Testing

@Suite("adaptive on kvm_intel", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct AdaptiveTests {
  @Test(arguments: ["adaptive", "adaptive-more"])
  func `traps as many writes as make up the price, and then none`(command: String) async throws {
    let report = try await LabHost.intelIBRS.run(command)
    let costs = try Costs(report)
    let trapped = (costs.price + costs.access - 1) / costs.access
    #expect(report.exits.byMSR == [.known(.specCtrl): .init(reads: 0, writes: trapped)])
    #expect(report.exits.byReason == ["writeMSR": trapped, "portOut": 1])
    #expect(report.policyTally == ["opens": 1, "closes": 0, "openAtEnd": 1])
    #expect(trapped < 50 && report.guest.expected.msrWrites == 2 * report.iterations)
    // What KVM ends by itself does not grow with the writes: first touches of pages, and the timer.
    #expect(try #require(report.kvm.lightExits) <= 40)
    #expect(report.msr.end == 0 && report.msr.registerEnd == 0, "the guest's own value, in the register")
    #expect(report.protection.level == ProtectionLevel.none)
  }

  @Test func `leaves the guest alone that writes once, and keeps its value`() async throws {
    let report = try await LabHost.intelIBRS.run("adaptive-set")
    #expect(report.exits.byMSR == [.known(.specCtrl): .init(reads: 0, writes: 1)])
    #expect(report.policyTally == ["opens": 0, "closes": 0, "openAtEnd": 0])
    #expect(report.msr.end == 1 && report.msr.registerEnd == 0)
  }

  @Test func `closes when the guest is quiet for as long as its patience, and opens again when it writes`() async throws
  {
    let report = try await LabHost.intelIBRS.run("adaptive-phases")
    let costs = try Costs(report)
    #expect(6000 * costs.exit > costs.price + costs.access, "else the phase would be too short")
    #expect(report.policyTally == ["opens": 2, "closes": 1, "openAtEnd": 1])
    // Once for each opening, less what the first quiet exits after the closing took off.
    let trapped = (costs.price + costs.access - 1) / costs.access
    #expect(report.exits.byMSR == [.known(.specCtrl): .init(reads: 0, writes: 2 * trapped)])
    #expect(report.exits.byReason["portOut"] == 6001)
  }

  @Test(arguments: [LabHost.intelIBRS, .intel])
  func `goes on from a file with its register open: not one write is trapped after that`(host: LabHost) async throws {
    let report = try await host.run("adaptive-resumed")
    let trapped = try #require(report.exits.byMSR[.known(.specCtrl)])
    // The costs are measured anew, and the writes that were trapped are those before the file.
    #expect(trapped.reads == 0 && trapped.writes > 0 && trapped.writes < 50)
    #expect(report.policyTally == ["opens": 1, "closes": 0, "openAtEnd": 1])
    #expect(report.exits.byReason == ["writeMSR": trapped.writes, "portOut": 1])
    #expect(report.completed && report.guest.expected.msrWrites == 2000)
  }

  @Test func `a file has as many entries of CPUID as the guest was told, whatever count an older KVM leaves`()
    async throws
  {
    let text = try await LabHost.intelIBRS.result("inspect").output
    let words = text.split(whereSeparator: \.isWhitespace)
    let index = try #require(words.firstIndex(of: "entries"))
    let count = try #require(Int(words[index - 1]))
    #expect((20..<256).contains(count))
  }

  @Test func `sees the same reserved bits as the register itself has`() async throws {
    let report = try await LabHost.intelIBRS.run("probe-adaptive")
    #expect(report.guest.probe == ProbeExpectation.steps)
  }

  @Test func `never ends the protection of IBRS_ALL unasked: it is emulate there, exactly, and says so`() async throws {
    let report = try await LabHost.intel.run("adaptive")
    #expect(report.exits.byMSR == [.known(.specCtrl): .init(reads: 0, writes: 2 * report.iterations)])
    #expect(report.policyTally == ["opens": 0, "closes": 0, "openAtEnd": 0])
    #expect(report.protection.level == .always)
    #expect(report.protection.reason.contains("never opened to the guest: that would end this protection"))
    #expect(report.msr.registerStart == 1 && report.msr.registerEnd == 1)
    #expect(try await LabHost.intel.result("adaptive-unasked-text").output.contains("--accept-unprotected"))
  }

  @Test func `ends that protection where it is accepted, with a warning in every output`() async throws {
    let report = try await LabHost.intel.run("adaptive-accepted")
    #expect(report.policyTally["opens"] == 1)
    #expect(report.protection.level == .guest && report.protection.reason.hasPrefix("WARNING: the protection"))
    #expect(report.msr.registerStart == 1, "IBRS is kept on until then")
    #expect(report.msr.end == 0 && report.msr.registerEnd == 0)
    let text = try await LabHost.intel.result("adaptive-accepted-text")
    #expect(text.status == 0 && text.output.contains("as the guest chooses; WARNING: the protection"))
  }

  @Test(arguments: ["intel", "intel-ibrs"])
  func `hands every value of SPEC_CTRL over, whatever the guest does and whenever it switches`(name: String)
    async throws
  {
    let result = try await (name == "intel" ? LabHost.intel : .intelIBRS).result("hand-over")
    #expect(result.status == 0, "\(result.output)\(result.error)")
    #expect(result.output.contains(", 0 failures"))
    let words = result.output.split(separator: " ")
    for what in ["opens,", "closes,"] {
      let place = try #require(words.firstIndex(of: Substring(what)))
      #expect(try #require(Int(words[place - 1])) > 20, "it must really have switched")
    }
  }

  /// The costs that a run's protection tells.
  private struct Costs {
    let access: UInt64
    let exit: UInt64
    let price: UInt64

    init(_ report: RunReport) throws {
      let numbers = report.protection.reason.split { !$0.isNumber }.compactMap { UInt64($0) }
      try #require(numbers.count >= 4)
      (access, exit, price) = (numbers[0], numbers[1], numbers[2])
    }
  }
}
