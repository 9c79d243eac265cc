// `spectrap fleet merge` on files.

import FoundationEssentials
import Testing
import TestSupport

@Suite("Results of many hosts", .needsKVM)
struct FleetMergeTests {
  /// A folder of results: this host's under other names.
  private func folder(_ hosts: Int) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for number in 0..<hosts {
      let copy = try BenchResult.copy { result in
        result.change("identity") { $0.change("host") { $0 = .string("host\(number)") } }
      }
      try folder.write(copy.text, to: "n\(number).json")
    }
    return folder
  }

  @Test("make a class, in text, JSON, a page and OpenMetrics; hosts without one are counted with the reason")
  func merge() throws {
    let folder = try folder(6)
    let hosts = (0..<8).map { "\"n\($0)\"" }.joined(separator: ",")
    try folder.write(
      #"{"kind":"fleet","schemaVersion":1,"hosts":[\#(hosts)],"command":["bench"],"began":"2026-11-30T10:00:00Z"}"#,
      to: "fleet.json")
    try folder.write(
      #"{"kind":"status","schemaVersion":1,"host":"n6","exitStatus":69,"began":"2026-11-30T10:00:00Z","ended":"2026-11-30T10:00:01Z"}"#,
      to: "n6.status.json")
    try folder.write("spectrap: /dev/kvm: no such\u{1b}[31m file\nmore\n", to: "n6.err")
    let outcome = try Spectrap.run(
      "fleet", "merge", folder.path, "--json", folder["out.fleet"], "--output", folder["page.html"], "--openmetrics",
      folder["metrics.prom"])
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    #expect(outcome.output.hasPrefix("6 of 8 hosts measured; 1 unavailable, 1 missing; 1 class."))
    #expect(outcome.output.contains("n6: unavailable, status 69: spectrap: /dev/kvm: no such"))
    #expect(!outcome.output.contains("\u{1b}"))
    let json = try JSONValue(parsing: folder.text(of: "out.fleet") ?? "")
    #expect(json["kind"] == .string("fleetReport") && json["measured"]?.count == 6 && json["asked"]?.count == 8)
    #expect(json["classes"]?.elements.first?["hosts"]?.elements == (0..<6).map { .string("host\($0)") })
    let page = folder.text(of: "page.html") ?? ""
    #expect(page.contains("Made by spectrap fleet merge") && page.contains("6 of 8 hosts measured"))
    let metrics = folder.text(of: "metrics.prom") ?? ""
    #expect(metrics.hasSuffix("# EOF\n") && metrics.contains("spectrap_fleet_hosts{state=\"measured\"} 6.0\n"))
  }

  @Test("that cannot be read stay in the count; where none can, that is bad data: 65, and 66 where nothing is")
  func damaged() throws {
    let folder = try folder(1)
    try folder.write("{\"kind\": \"bench\", \"schemaVersion\": 2", to: "cut.json")
    try folder.write("{\"kind\": \"bench\", \"schemaVersion\": 99}", to: "new.json")
    try folder.write("{\"kind\": \"contract\", \"schemaVersion\": 1}", to: "pool.json")
    let outcome = try Spectrap.run("fleet", "merge", folder.path)
    #expect(outcome.status == 0 && outcome.output.hasPrefix("1 of 3 hosts measured; 2 unreadable; 1 class."))
    #expect(outcome.errors.contains("pool.json is passed over") && outcome.errorLines.count == 1)
    let none = try Spectrap.run("fleet", "merge", folder["cut.json"])
    #expect(none.status == 65 && none.errors.hasPrefix("spectrap: none of 1 host has a result"), "\(none.errors)")
    #expect(none.errors.contains("cut: unreadable") && none.output.isEmpty)
    try Spectrap.run("fleet", "merge", folder["missing"]).expectFailure(66, saying: "No such file")
    try Spectrap.run("fleet", "merge", folder.path, "--class-by", "color").expectUsageError(saying: ["vendor"])
    try Spectrap.run("fleet", "merge").expectUsageError(saying: ["folder|result.json"])
  }

  @Test("say which host, when and which run; the hostname is hashed unless it is wanted")
  func identity() throws {
    func identity(_ options: String...) throws -> JSONValue {
      let outcome = try Spectrap.run(["run", "bare", "--iterations", "10", "--json"] + options)
      try #require(outcome.status == 0, "\(outcome.errors)")
      return try #require(try JSONValue(parsing: outcome.output)["identity"])
    }
    let (one, other) = (try identity(), try identity())
    #expect(one["host"] == other["host"] && one["host"]?.name.count == 16 && one["run"] != other["run"])
    #expect(one["began"]?.name.hasSuffix("Z") == true && one["began"]?.name.count == 20)
    #expect(try identity("--host-id", "rack 7")["host"] == .string("rack 7"))
    #expect(try identity("--plain-host")["host"] != one["host"])
    try Spectrap.run("run", "bare", "--plain-host", "--host-id", "x").expectUsageError(saying: ["leave out one"])
    try Spectrap.run("run", "bare", "--host-id", "a\nb").expectUsageError(saying: ["can be printed"])
  }
}
