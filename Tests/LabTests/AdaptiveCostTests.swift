// The gate of scripts/adaptive-cost, given figures instead of a machine: what it lets through, and what it names.

import FoundationEssentials
import Testing

@Suite("The gate on what adaptive costs in all")
struct AdaptiveCostTests {
  @Test func `the table's own figures pass`() async throws {
    let result = try await check(try Figures.checkedIn().text)
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("adaptive costs at most 10 % more than the best fixed policy"))
    #expect(!result.error.contains("has moved"))
  }

  @Test func `a row that passes its allowance fails and is named, one that reaches it passes`() async throws {
    var figures = try Figures.checkedIn()
    let row = try #require(figures.rows.firstIndex { $0.guest == "chatty" })
    let allowed = figures.rows[row].allowed
    figures.rows[row].costs["adaptive"] = allowed - 1
    var result = try await check(figures.text)
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("chatty has moved by more than 2 %"))
    figures.rows[row].costs["adaptive"] = allowed + 2
    result = try await check(figures.text)
    #expect(result.status == 70)
    #expect(result.error.contains("\(figures.rows[row].host) chatty: adaptive costs \(allowed + 2)"))
  }

  @Test func `figures without adaptive, of one host alone, or without a switch fail`() async throws {
    var figures = try Figures.checkedIn()
    figures.rows[0].costs["adaptive"] = nil
    #expect(try await check(figures.text).error.contains("not measured under adaptive"))
    figures = try Figures.checkedIn()
    figures.rows.removeAll { $0.host == "intel" }
    #expect(try await check(figures.text).error.contains("figures of 1 hosts"))
    figures = try Figures.checkedIn()
    for index in figures.rows.indices { figures.rows[index].closes = 0 }
    let result = try await check(figures.text)
    #expect(result.status == 70 && result.error.contains("closed it 0"))
  }

  @Test(arguments: [["--update", "--check"], ["--measured"], ["--measured", "/nonexistent"], ["--nonsense"]])
  func `wrong usage is refused`(arguments: [String]) async throws {
    #expect(try await Command.run("scripts/adaptive-cost", arguments, timeLimit: .seconds(60)).status == 64)
  }

  private func check(_ text: String) async throws -> Command {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let file = try folder.write(text, to: "figures")
    return try await Command.run("scripts/adaptive-cost", ["--check", "--measured", file], timeLimit: .seconds(60))
  }

  /// Figures as `scripts/adaptive-cost --save` writes them, read from docs/adaptive.md.
  private struct Figures {
    struct Row {
      var host: String
      var guest: String
      var costs: [String: Int]
      var allowed: Int
      var opens: Int
      var closes: Int
    }

    var rows: [Row] = []
    var costs: [String: String] = [:]

    static let policies = ["passthrough", "emulate", "autoload", "manual", "shadow", "adaptive"]

    static func checkedIn() throws -> Figures {
      var figures = Figures()
      var host = ""
      let page = try String(contentsOfFile: Command.checkout + "/docs/adaptive.md", encoding: .utf8)
      for line in page.components(separatedBy: "\n") {
        if line.hasPrefix("**intel") {
          host = String(line.dropFirst(2).prefix { $0 != "*" })
          figures.costs[host] = line.split { !$0.isNumber }.joined(separator: " ")
        } else if line.hasPrefix("an exit to the VMM ") {
          // The price and the exit stand on the next line.
          figures.costs[host, default: ""] += " " + line.split { !$0.isNumber }.prefix(1).joined()
        }
        let cells = line.split(separator: "|").map { String($0.filter { !" *`".contains($0) }) }
        guard cells.count == 11, let adaptive = Int(cells[7]), let allowed = Int(cells[9]) else { continue }
        let switches = cells[10].split(separator: ",").compactMap { Int($0) }
        var costs = Dictionary(uniqueKeysWithValues: zip(policies, (2...6).map { Int(cells[$0]) ?? 0 }))
        costs["adaptive"] = adaptive
        figures.rows.append(
          Row(
            host: host, guest: cells[0], costs: costs, allowed: allowed, opens: switches[0], closes: switches[1]))
      }
      try #require(figures.rows.count > 40 && figures.costs.count == 2)
      return figures
    }

    var text: String {
      var text = "emulator none\n"
      for host in ["intel", "intel-ibrs"] where rows.contains(where: { $0.host == host }) {
        text += "host \(host)\ncosts \(costs[host] ?? "")\n"
        for row in rows where row.host == host {
          for policy in Self.policies {
            guard let cost = row.costs[policy] else { continue }
            text += "run \(policy) \(row.guest) 1 \(cost) \(row.opens) \(row.closes)\n"
          }
        }
      }
      return text
    }
  }
}
