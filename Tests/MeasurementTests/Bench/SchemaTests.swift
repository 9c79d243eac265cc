import FoundationEssentials
import JSONValues
import Registers
import Testing

@testable import Measurement

/// The JSON that is written is the JSON that is documented.
struct SchemaTests {
  private let check: SchemaCheck

  init() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../../docs/bench.schema.json").standardizedFileURL
    check = SchemaCheck(schema: try JSONDecoder().decode(JSONValue.self, from: Data(contentsOf: file)))
  }

  private func value(_ report: BenchReport) throws -> JSONValue {
    try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(report))
  }

  @Test("A whole report is valid, and so is one in which nothing is known")
  func valid() throws {
    #expect(check.problems(try value(MadeUp.whole)) == [])
    var host = MadeUp.host()
    host.kernel = nil
    host.entries = ["syscall": HostReport.Fact(works: true, seen: "CS 0x8")]
    #expect(check.problems(try value(MadeUp.report([], host: host, environment: BenchEnvironment()))) == [])
  }

  @Test("A break-even without intervals and contradictions, as there were, is read")
  func older() throws {
    let report = MadeUp.whole
    guard case .object(var members) = try value(report), case .object(var breakEven)? = members["breakEven"] else {
      Issue.record("a report without a break-even")
      return
    }
    breakEven["contradictions"] = nil
    breakEven["crossings"] = .array(
      (breakEven["crossings"]?.elements ?? []).map { crossing in
        guard case .object(var members) = crossing else { return crossing }
        members["atNoExitInterval"] = nil
        members["perExitInterval"] = nil
        return .object(members)
      })
    members["breakEven"] = .object(breakEven)
    let read = try JSONDecoder().decode(BenchReport.self, from: JSONEncoder().encode(JSONValue.object(members)))
    #expect(read.breakEven?.contradictions == [] && read.breakEven?.models == report.breakEven?.models)
    #expect(read.breakEven?.crossings.first?.atNoExitInterval == nil)
  }

  @Test("Every key that the schema asks for is written, unknown ones as null")
  func nulls() throws {
    let report = try value(MadeUp.report([MadeUp.absent("hlt", "none", "passthrough", "no such exit here")]))
    #expect(report["breakEven"] == .null)
    #expect(report["environment"]?["temperatureBefore"] == .null)
    #expect(report["cells"]?.elements.first?["summary"] == .null)
  }

  @Test("A report that is not as documented is found out")
  func invalid() throws {
    guard case .object(var members) = try value(MadeUp.whole) else {
      Issue.record("a report is an object")
      return
    }
    members["seed"] = nil
    members["ended"] = "tired"
    members["cells"] = [["id": 3]]
    members["extra"] = 1
    let problems = check.problems(.object(members))
    #expect(problems.contains(": lacks seed"))
    #expect(problems.contains("/ended: not in the enum"))
    #expect(problems.contains("/cells/0/id: not of type string"))
    #expect(problems.contains("/cells/0: lacks rounds"))
    #expect(problems.contains(": extra is not in the schema"))
  }

  @Test("A report that is read back is the same")
  func roundTrip() throws {
    let report = MadeUp.whole
    #expect(try JSONDecoder().decode(BenchReport.self, from: JSONEncoder().encode(report)) == report)
  }

  @Test("The register is named as `run` names it, and a report without the key is about IA32_SPEC_CTRL")
  func subject() throws {
    let other = BenchReport.Subject(.lstar)
    let report = MadeUp.report([], msr: other)
    let json = try value(report)
    #expect(json["msr"] == ["name": "IA32_LSTAR", "index": "0xc0000082"])
    #expect(check.problems(json) == [])
    guard case .object(var members) = json else {
      Issue.record("a report is an object")
      return
    }
    members["msr"] = nil
    let older = JSONValue.object(members)
    #expect(check.problems(older) == [": lacks msr"])
    #expect(try JSONDecoder().decode(BenchReport.self, from: JSONEncoder().encode(older)).msr == .specCtrl)
  }
}
