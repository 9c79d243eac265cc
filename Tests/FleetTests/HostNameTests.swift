// Names of hosts become names of files, arguments and words of a script: only harmless ones are taken.

import Testing

@testable import Fleet

@Suite("The name of a host")
struct HostNameTests {
  @Test(
    "is one of letters, digits, dots, hyphens and underscores", arguments: ["node1", "web-1.example.org", "A_b", "7"])
  func names(text: String) throws { #expect(try HostName(text).text == text) }

  @Test(
    "is refused where it could be something else",
    arguments: [
      "", "-oProxyCommand=x", ".hidden", "..", "a/b", "a b", "a;b", "a'b", "a\"b", "a\nb", "a$(b)", "nöde", "a\u{0}",
      "root@web1", "fleet", "node1.status", String(repeating: "a", count: 254),
    ])
  func refusals(text: String) {
    let error = #expect(throws: FleetError.self) { try HostName(text) }
    #expect(error?.kind == .dataError)
    #expect(error?.description.contains("give names of letters") == true)
  }

  @Test("stands alone on a line of a list; remarks and empty lines are passed over")
  func list() throws {
    let hosts = try [HostName](list: "# all\nweb1 # first\n\n  web2\t\r\nweb3", of: "hosts.txt")
    #expect(hosts.map(\.text) == ["web1", "web2", "web3"])
  }

  @Test(
    "in a list that is none is told by its line",
    arguments: [
      ("web1\nweb 2\n", "hosts.txt, line 2: there are 2 words"), ("\n-web\n", "hosts.txt, line 2: \"-web\""),
      ("web1\nweb2\nweb1", "web1 twice, in lines 1 and 3"), ("# none\n", "hosts.txt names no host"),
      ("", "names no host"),
    ])
  func badList(text: String, words: String) {
    let error = #expect(throws: FleetError.self) { try [HostName](list: text, of: "hosts.txt") }
    #expect(error?.kind == .dataError)
    #expect(error?.description.contains(words) == true, "\(String(describing: error))")
  }
}

@Suite("What the hosts run")
struct FleetCommandTests {
  @Test(
    "is a command that makes a result",
    arguments: [["bench", "--rounds", "8"], ["run", "bare"], ["probe"], ["boot", "x"]])
  func commands(words: [String]) throws { #expect(try FleetCommand(words).words == words) }

  @Test(
    "is refused where no result would come back, with what to do",
    arguments: [
      ([], "after \"--\""), (["compare", "a", "b"], "give one of bench, boot, run, probe"),
      (["bench", "--json", "x"], "--json is added"), (["bench", "--json=x"], "--json is added"),
      (["bench", "--csv", "x"], "--csv cannot be given"),
      (["bench", "--host-id=x"], "--host-id cannot be given"),
      (["probe", "--plain-host"], "its host's name as its id"),
      (["run", "bare", "--migratable=unix:x"], "--migratable cannot"),
      (["bench", "--workload", "\u{fffd}ff"], "not UTF-8"),
    ])
  func refusals(words: [String], reason: String) {
    let error = #expect(throws: FleetError.self) { try FleetCommand(words) }
    #expect(error?.kind == .usage)
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }
}
