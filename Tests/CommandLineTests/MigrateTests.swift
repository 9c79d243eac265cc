// `migrate --plan`, `contract` and `run --contract`: from what hosts print to what a guest is told.

import FoundationEssentials
import TestSupport
import Testing

@Suite("Whether guests may move")
struct MigrateTests {
  @Test("is printed for kinds of host where no hosts are given, in 100 columns, for every policy")
  func classes() throws {
    let outcome = try Spectrap.run("migrate", "--plan")
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    let lines = outcome.output.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.allSatisfy { $0.count <= 100 })
    #expect(lines.count { $0.contains(" -> ") } == 9)
    for policy in try Spectrap.names(of: "policies") {
      #expect(lines.count { $0.prefix(26).contains(policy) } == 9, "\(policy)")
    }
    for word in ["UNPROTECTED", "leaving IBRS set does not", "refused", "allowed, protects: always", "no such guest"] {
      #expect(outcome.output.split(separator: "\n").joined(separator: " ").contains(word), "\(word)")
    }
  }

  @Test("is JSON with a row for each source, destination and policy")
  func json() throws {
    let result = try JSONValue(parsing: Spectrap.run("migrate", "--plan", "--json").output)
    #expect(result["kind"] == .string("migrationPlan"))
    #expect(result["hosts"]?.elements.count == 3)
    #expect(result["rows"]?.elements.count == 9 * (try Spectrap.names(of: "policies").count))
  }

  @Test("needs to be asked for the plan")
  func usage() throws {
    try Spectrap.run("migrate").expectUsageError(saying: ["--plan"])
  }

  @Test("cannot be told from a file that is missing, or is no host's")
  func files() throws {
    for command in [["migrate", "--plan"], ["contract"]] {
      try Spectrap.run(command + ["/nonexistent/host.json"]).expectFailure(66, saying: "/nonexistent/host.json")
      for text in ["", "{", "[]", "{\"kind\": \"bench\", \"schemaVersion\": 1}", "{\"schemaVersion\": 1}"] {
        let file = try TemporaryFile()
        try file.write(text)
        try Spectrap.run(command + [file.path]).expectFailure(65, saying: "probe --json")
      }
    }
    let old = try TemporaryFile()
    try old.write("{\"schemaVersion\": 99}")
    try Spectrap.run("contract", old.path).expectFailure(65, saying: "schema version 99")
  }

  @Test("cannot be told from a host without KVM")
  func withoutKVM() throws {
    let file = try TemporaryFile()
    _ = try Spectrap.run(["probe", "--json", "--kvm", "/nonexistent"], outputPath: file.path)
    try Spectrap.run("migrate", "--plan", file.path).expectFailure(65, saying: "KVM can be used")
  }

  @Test("of a host that is given twice is refused", .needsKVM)
  func twice() throws {
    let host = try probed()
    try Spectrap.run("migrate", "--plan", host.path, host.path).expectFailure(64, saying: "are of one host")
  }

  @Test("of this host to itself is allowed under every policy that it can run", .needsKVM)
  func thisHost() throws {
    let host = try probed()
    let result = try JSONValue(parsing: Spectrap.run("migrate", "--plan", host.path, "--json").output)
    let rows = result["rows"]?.elements ?? []
    #expect(rows.contains { $0["outcome"] == .string("allowed") })
    #expect(rows.allSatisfy { [.string("allowed"), .string("notStarted")].contains($0["outcome"]) })
  }

  /// What this host prints of itself.
  private func probed() throws -> TemporaryFile {
    let file = try TemporaryFile()
    #expect(try Spectrap.run(["probe", "--json"], outputPath: file.path).status == 0)
    return file
  }

  /// The contract of this host alone.
  private func contract() throws -> TemporaryFile {
    let (host, file) = (try probed(), try TemporaryFile())
    let outcome = try Spectrap.run("contract", host.path, "--output", file.path)
    try #require(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("What a guest may be told") && outcome.output.contains("policy"))
    #expect(outcome.output.split(separator: "\n").allSatisfy { $0.count <= 100 })
    return file
  }

  @Test("is decided by a contract that `run` keeps: the guest is told what stands there", .needsKVM)
  func contractIsKept() throws {
    let file = try contract()
    let contract = try JSONValue(parsing: file.text)
    let policy = try #require(contract["hosts"]?.elements.first?["policy"]?.name)
    let outcome = try Spectrap.run(
      "run", "bare", "--policy", policy, "--iterations", "20", "--contract", file.path, "--json")
    try #require(outcome.status == 0, "\(outcome.errors)")
    let told = try JSONValue(parsing: outcome.output)
    #expect(told["guest.told.archCapabilities"] == contract["archCapabilities"])
    // A policy that would tell the guest more tells it nothing of its own.
    func word(_ name: String) -> Int { contract["cpuid"]?.members[name]?.count ?? 0 }
    // SPEC_CTRL, and AMD's IBRS.
    let ibrs = word("7.0.edx") >> 26 | word("80000008.0.ebx") >> 14
    #expect(told["guest.told.ibrs"] == .bool(ibrs & 1 == 1))
    #expect(told["guest.sees.ibrsAll"] == told["guest.told.ibrsAll"])
  }

  @Test("a contract that this host cannot keep is refused: status 69", .needsKVM)
  func contractIsRefused() throws {
    let file = try contract()
    let policy = try #require(JSONValue(parsing: file.text)["hosts"]?.elements.first?["policy"]?.name)
    func refused(saying words: String, _ change: (inout JSONValue) -> Void) throws {
      var contract = try JSONValue(parsing: file.text)
      change(&contract)
      let changed = try TemporaryFile()
      try JSONEncoder().encode(contract).write(to: URL(filePath: changed.path))
      try Spectrap.run("run", "bare", "--policy", policy, "--contract", changed.path).expectFailure(69, saying: words)
    }
    try refused(saying: "NoSuchVendor") { $0.change("vendor") { $0 = .string("NoSuchVendor") } }
    // Bit 7 of CPUID.7.0:EDX is on no processor.
    try refused(saying: "CPUID.07H.0:EDX[7]") { $0.change("cpuid") { $0.change("7.0.edx") { $0 = .integer(1 << 7) } } }
    try refused(saying: "addresses") { $0.change("physicalAddressBits") { $0 = .integer(52) } }
  }

  @Test("a contract that is missing or none is said before KVM is touched")
  func contractFiles() throws {
    try Spectrap.run("run", "bare", "--contract", "/nonexistent/c.json", "--kvm", "/nonexistent")
      .expectFailure(66, saying: "/nonexistent/c.json")
    let file = try TemporaryFile()
    for text in ["", "{}", "{\"kind\": \"contract\", \"schemaVersion\": 1}"] {
      try file.write(text)
      try Spectrap.run("run", "bare", "--contract", file.path, "--kvm", "/nonexistent")
        .expectFailure(65, saying: "spectrap contract")
    }
    try file.write("{\"kind\": \"contract\", \"schemaVersion\": 2}")
    try Spectrap.run("run", "bare", "--contract", file.path).expectFailure(65, saying: "schema version 2")
  }

  @Test("a contract needs hosts, each under a name of its own")
  func contractUsage() throws {
    try Spectrap.run("contract").expectUsageError(saying: ["host.json"])
  }

  @Test("one host given twice is refused; two hosts whose files have one name are told apart by their ids", .needsKVM)
  func sameName() throws {
    let host = try probed()
    try Spectrap.run("contract", host.path, host.path).expectFailure(64, saying: "are of one host", "--host-id")
    let folder = try TemporaryFolder()
    func write(_ name: String, _ change: (inout JSONValue) -> Void) throws {
      var document = try JSONValue(parsing: host.text)
      change(&document)
      try folder.write(String(decoding: try JSONEncoder().encode(document), as: UTF8.self), to: name)
    }
    try write("one.json") { $0.change("identity") { $0.change("host") { $0 = .string("rack1") } } }
    try write("one.txt") { $0.change("identity") { $0.change("host") { $0 = .string("rack2") } } }
    let outcome = try Spectrap.run("contract", folder["one.json"], folder["one.txt"])
    #expect(outcome.status == 0 && outcome.output.contains("one (rack1), one (rack2)"), "\(outcome.errors)")
    // Results of version 1 have no identity.
    try write("one.json") { $0.remove("identity") }
    try write("one.txt") { $0.remove("identity") }
    try Spectrap.run("contract", folder["one.json"], folder["one.txt"])
      .expectFailure(64, saying: "two hosts are called one")
  }
}

extension TemporaryFile {
  fileprivate func write(_ text: String) throws { try Data(text.utf8).write(to: URL(filePath: path)) }
}
