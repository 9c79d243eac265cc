// The folder of a fleet says which hosts are missing, whatever files stand in it.

import FoundationEssentials
import Measurement
import Testing

@testable import Fleet

@Suite("The folder of a fleet")
struct FleetFolderTests {
  private static let whole = #"{"schemaVersion":6,"kind":"bench","partial":false,"cells":[]}"#

  private func hosts(_ names: String...) throws -> [HostName] { try names.map { try HostName($0) } }

  @Test("has a host as measured only with a status of 0 and a whole result")
  func unmeasured() throws {
    let folder = try Folder()
    for host in ["whole", "failed", "partial", "cut", "empty", "alone", "other"] {
      try folder.write(Self.whole, to: "\(host).json")
    }
    try folder.write(status: 0, of: "whole")
    try folder.write(status: 69, of: "failed")
    try folder.write("\nspectrap: /dev/kvm: no\nmore\n", to: "failed.err")
    try folder.write(#"{"schemaVersion":6,"partial":true}"#, to: "partial.json")
    try folder.write(status: 0, of: "partial")
    try folder.write(#"{"schemaVersion":6,"cells":["#, to: "cut.json")
    try folder.write(status: 0, of: "cut")
    try folder.write("", to: "empty.json")
    try folder.write(status: 0, of: "empty")
    try folder.write(status: 0, of: "no-result")
    try folder.write(#"{"schemaVersion":1"#, to: "damaged.status.json")
    try folder.write(status: 0, of: "other", named: "another")
    let fleet = try FleetFolder.existing(folder.path)
    let all = try hosts("whole", "failed", "partial", "cut", "empty", "alone", "no-result", "damaged", "other", "none")
    #expect(try fleet.unmeasured(of: all) == Array(all.dropFirst()))
    #expect(fleet.end(of: all[0]) == .measured)
    #expect(fleet.end(of: all[1]) == .failed(status: 69, message: "spectrap: /dev/kvm: no"))
    #expect(fleet.end(of: all[2]) == .failed(status: 0, message: "it left no whole result"))
    // A result without a status may be of a program that runs.
    for index in [5, 7, 8, 9] { #expect(fleet.end(of: all[index]) == nil) }
  }

  @Test("is not followed through a link, nor held up by a pipe")
  func links() throws {
    let (folder, other) = (try Folder(), try Folder())
    try other.write(status: 0, of: "a")
    try FileManager.default.createSymbolicLink(
      atPath: folder["a.status.json"], withDestinationPath: other["a.status.json"])
    try FileManager.default.createDirectory(atPath: folder["b.status.json"], withIntermediateDirectories: true)
    let fleet = try FleetFolder.existing(folder.path)
    for host in try hosts("a", "b") { #expect(fleet.end(of: host) == nil) }
  }

  @Test("resumes with the hosts and the command of its order, and those that are missing")
  func resume() throws {
    let folder = try Folder()
    let command = try FleetCommand(["bench", "--rounds", "8"])
    let plan = try FleetPlan(
      hosts: try hosts("a", "b", "c"), command: command, folder: try .new(folder["new/fleet"]), isInstalled: true,
      timeLimit: .seconds(1))
    #expect(plan.due == plan.hosts)
    let order = try JSONDecoder().decode(
      FleetOrder.self, from: Data(try #require(folder.text(of: "new/fleet/fleet.json")).utf8))
    #expect(order.hosts == ["a", "b", "c"] && order.command == command.words && order.began.hasSuffix("Z"))
    let host = HostStatus(host: "b", exitStatus: 0, began: "", ended: "")
    try plan.folder.write(plan.hosts[1], result: Array(Self.whole.utf8), errors: [], status: host)
    let rest = try FleetPlan(
      resuming: try .existing(folder["new/fleet"]), isInstalled: true, timeLimit: .seconds(1))
    #expect(rest.hosts == plan.hosts && rest.command == command)
    #expect(rest.due == (try hosts("a", "c")))
    // Before a host is measured again, its earlier files go.
    try rest.folder.removeFiles(of: plan.hosts[1])
    #expect(folder.names == ["new"] && rest.folder.end(of: plan.hosts[1]) == nil)
    #expect(folder.text(of: "new/fleet/b.json") == nil && folder.text(of: "new/fleet/b.err") == nil)
  }

  @Test("is not made where there is something already")
  func taken() throws {
    let folder = try Folder()
    try folder.write("x", to: "file")
    #expect(throws: FleetError.self) { try FleetFolder.new(folder.path) }
    try folder.write("x", to: "fleet.json")
    let error = #expect(throws: FleetError.self) { try FleetFolder.new(folder.path) }
    #expect(error?.description.contains("--resume") == true)
    #expect(throws: FleetError.self) { try FleetFolder.new(folder["file"]) }
  }

  @Test(
    "with an order that is damaged, or could harm, is refused",
    arguments: [
      ("", "damaged"), ("[]", "damaged"), (order(kind: "bench"), "damaged"), (order(version: 2), "schema version 2"),
      (order(hosts: #"["a/../../b"]"#), "cannot be the name"), (order(hosts: "[]"), "no host"),
      (order(hosts: #"["a","a"]"#), "twice"), (order(command: #"["compare"]"#), "makes no result"),
    ])
  func badOrder(text: String, words: String) throws {
    let folder = try Folder()
    try folder.write(text, to: "fleet.json")
    let error = #expect(throws: FleetError.self) { try FleetFolder.existing(folder.path).readOrder() }
    #expect(error?.kind == .dataError)
    #expect(error?.description.contains(words) == true, "\(String(describing: error))")
  }

  @Test("without an order is no input")
  func noOrder() throws {
    let folder = try Folder()
    #expect(#expect(throws: FleetError.self) { try FleetFolder.existing(folder.path).readOrder() }?.kind == .noInput)
    #expect(#expect(throws: FleetError.self) { try FleetFolder.existing(folder["none"]) }?.kind == .noInput)
  }

  private static func order(
    version: Int = 1, kind: String = "fleet", hosts: String = #"["a"]"#, command: String = #"["bench"]"#
  ) -> String {
    #"{"schemaVersion":\#(version),"kind":"\#(kind)","hosts":\#(hosts),"command":\#(command),"began":""}"#
  }
}
