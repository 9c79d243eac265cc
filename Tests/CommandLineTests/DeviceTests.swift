// A KVM device that is missing, closed, or none: each failure with its own status and a sentence that says what to do.

import Glibc
import TestSupport
import Testing

@Suite("A KVM device")
struct DeviceTests {
  @Test("that is missing: status 66")
  func missing() throws {
    try Spectrap.run("run", "bare", "--kvm", "/nonexistent/kvm")
      .expectFailure(66, saying: "/nonexistent/kvm", "No such file or directory")
  }

  @Test("that is some other device: status 69")
  func otherDevice() throws {
    try Spectrap.run("run", "bare", "--kvm", "/dev/null").expectFailure(69, saying: "/dev/null", "not a KVM device")
  }

  @Test("that is a folder: status 69")
  func folder() throws {
    try Spectrap.run("run", "bare", "--kvm", "/tmp").expectFailure(69, saying: "/tmp", "directory")
  }

  @Test("that is a file: status 69")
  func file() throws {
    let file = try TemporaryFile(mode: 0o600)
    try Spectrap.run("run", "bare", "--kvm", file.path).expectFailure(69, saying: file.path, "not a KVM device")
  }

  /// Root may open everything, so it first gives up its capabilities; nobody else needs to.
  static let asNobodySpecial =
    geteuid() == 0 ? ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] : []
  static let canDropPrivileges =
    asNobodySpecial.isEmpty
    || (try? Child(asNobodySpecial + ["true"]).outcome(by: .now + Spectrap.patience))?.status == 0

  @Test(
    "that may not be opened: status 77, and who may",
    .enabled(if: canDropPrivileges, "root needs setpriv (util-linux) and CAP_SETPCAP to give up its capabilities"))
  func noPermission() throws {
    let file = try TemporaryFile(mode: 0)
    try Spectrap.run("run", "bare", "--kvm", file.path, under: Self.asNobodySpecial)
      .expectFailure(77, saying: file.path, "ermission denied", geteuid() == 0 ? "capability" : "run as root")
  }

  @Test("that is missing does not keep `probe` from telling the rest")
  func probe() throws {
    let outcome = try Spectrap.run("probe", "--json", "--kvm", "/nonexistent/kvm")
    outcome.expectFailure(66, saying: "/nonexistent/kvm")
    let host = try #require(try JSONValue(parsing: outcome.output)["host"])
    #expect(host["cpu"] != nil && host["vulnerabilities"] != nil)
    #expect(host["capabilities"] == .null && host["entries"] == .null && host["policies"] == .null)
  }

  @Test("that is missing does not keep `list` from telling what there is")
  func list() throws {
    let outcome = try Spectrap.run("list", "--json", "--kvm", "/nonexistent/kvm")
    #expect(outcome.status == 0)
    let json = try JSONValue(parsing: outcome.output)
    for part in ["workloads", "entries", "policies"] {
      let items = try #require(json[part]).elements
      #expect(items.count >= 3 && items.allSatisfy { $0["works"] == .null && $0["seen"] == .null })
    }
  }
}
