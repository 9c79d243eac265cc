// The results as JSON: every key is there at every run, and nothing is lost on the way.

import Measurement
import TestSupport
import Testing

@Suite("A result in JSON")
struct ReportTests {
  @Test("has a null for everything that is not known")
  func nulls() throws {
    let json = try JSONValue(encoding: Sample.sparse)
    #expect(
      json.nullPaths == [
        "guest.clockDoubt", "guest.cyclesPerIteration", "guest.distribution", "guest.kernelEntries", "guest.probe",
        "guest.sees",
        "guest.told.archCapabilities", "guest.told.automaticIBRS", "guest.told.bhiCtrl", "guest.told.ibrsAll",
        "guest.told.ipredCtrl", "guest.told.psfd", "guest.told.rrsbaCtrl", "guest.told.virtualSpecCtrl",
        "host.capabilities", "host.cpu.family",
        "host.cpu.logicalCount", "host.cpu.microcode", "host.cpu.model", "host.cpu.modelNumber", "host.cpu.stepping",
        "host.cpu.vendor", "host.entries", "host.hostSpecCtrl", "host.hypervisor", "host.kernel", "host.policies",
        "host.smt", "host.specCtrlMode",
        "host.specCtrlProof", "host.speculation.cpu.archCapabilities", "host.speculation.cpu.automaticIBRS",
        "host.speculation.cpu.bhiCtrl",
        "host.speculation.cpu.ibrsAll", "host.speculation.cpu.ipredCtrl", "host.speculation.cpu.psfd",
        "host.speculation.cpu.rrsbaCtrl", "host.speculation.cpu.virtualSpecCtrl",
        "host.speculation.guest", "host.speculation.kvm", "host.tsc.clocksource", "host.tsc.hertz", "host.tsc.source",
        "host.turbo", "identity",
        "kvm.exitReasons", "kvm.exits", "kvm.lightExits", "kvm.statistics", "kvm.whyNone", "mechanism",
        "msr.registerEnd",
        "msr.registerStart",
        "origin", "stopped",
        "vmm.cyclesPerExit", "vmm.roundTrips",
      ])
    let few = try JSONValue(encoding: try #require(Distribution([1])))
    #expect(few.nullPaths == ["medianInterval95"])
  }

  @Test("has no null where all is known")
  func complete() throws { #expect(try JSONValue(encoding: Sample.full).nullPaths == []) }

  @Test("has the same keys whether something is known or not")
  func keys() throws {
    let (full, sparse) = (try JSONValue(encoding: Sample.full), try JSONValue(encoding: Sample.sparse))
    for path in ["", "host", "host.cpu", "host.tsc", "host.speculation", "exits", "kvm", "guest", "vmm", "msr"] {
      #expect(full[path]?.members.keys.sorted() == sparse[path]?.members.keys.sorted(), "\(path)")
    }
  }

  @Test("reads back as it was written", arguments: [Sample.full, Sample.sparse])
  func roundTrip(report: RunReport) throws {
    #expect(try JSONValue(encoding: report).decoded(as: RunReport.self) == report)
  }

  @Test("reads back with its missing keys as nil, as other writers may leave them out")
  func missing() throws {
    let json = try JSONValue(encoding: Sample.sparse).withoutNulls
    #expect(json["stopped"] == nil)
    #expect(try json.decoded(as: RunReport.self) == Sample.sparse)
  }

  @Test("is refused when a key that must be there is missing, or is of another kind")
  func refused() throws {
    var members = try JSONValue(encoding: Sample.full).members
    members["stopped"] = .integer(1)
    #expect(throws: DecodingError.self) { try JSONValue.object(members).decoded(as: RunReport.self) }
    members["stopped"] = .null
    members["completed"] = nil
    #expect(throws: DecodingError.self) { try JSONValue.object(members).decoded(as: RunReport.self) }
  }

  @Test("says which version of the schema it has")
  func version() throws {
    #expect(try JSONValue(encoding: Sample.full)["schemaVersion"]?.count == RunReport.currentSchemaVersion)
  }

  @Test("keeps the largest values of a register exact")
  func largest() throws {
    let json = try JSONValue(encoding: Sample.full)
    #expect(json["msr.end"] == .integer(Int128(UInt64.max)))
    #expect(try json.decoded(as: RunReport.self).msr.end == .max)
  }
}
