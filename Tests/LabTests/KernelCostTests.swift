// The gate of scripts/lab-cost --linux, given figures instead of machines.

import FoundationEssentials
import Testing

@Suite("The gate on a kernel's own work")
struct KernelCostTests {
  /// A line of figures: host, told, does, policy, work, cost, writes.
  private typealias Row = [String]

  /// The figures of docs/boot.md, as `scripts/lab-cost --linux --save` writes them.
  private func checkedIn() throws -> (head: [String], rows: [Row]) {
    let page = try String(contentsOfFile: Command.checkout + "/docs/boot.md", encoding: .utf8)
    let start = try #require(page.firstRange(of: "<!-- written by scripts/lab-cost --linux --update -->")).upperBound
    let end = try #require(page[start...].firstRange(of: "<!-- until here -->")).lowerBound
    var (head, rows): ([String], [Row]) = ([], [])
    for line in page[start..<end].split(separator: "\n") {
      if line.hasPrefix("- ") { head.append(String(line.dropFirst(2)).replacing(":", with: "", maxReplacements: 1)) }
      let columns = line.split(separator: "|").map { $0.filter { $0 != " " && $0 != "`" } }
      guard columns.count == 10, Double(columns[4]) != nil else { continue }
      for (index, work) in ["getppid", "page-fault", "pipe"].enumerated() {
        rows.append(Array(columns[0..<4]) + [work, columns[4 + 2 * index], columns[5 + 2 * index]])
      }
    }
    try #require(head.count == 2 && rows.count >= 30)
    return (head, rows)
  }

  private func check(
    guests: [String] = [], _ change: (inout [Row]) -> Void = { _ in }
  ) async throws -> Command {
    var (head, rows) = try checkedIn()
    change(&rows)
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let lines = head + rows.map { "cell " + $0.joined(separator: " ") }
    let file = try folder.write(lines.joined(separator: "\n") + "\n", to: "figures")
    return try await Command.run(
      "scripts/lab-cost", ["--linux", "--check", "--measured", file] + guests.flatMap { ["--guest", $0] },
      timeLimit: .seconds(60))
  }

  /// Multiplies the cost in a row of the kernel that writes IBRS, trapped.
  private func scale(_ rows: inout [Row], by factor: Double) {
    for index in rows.indices where rows[index][3...4] == ["emulate", "getppid"] && rows[index][1] == "ibrs" {
      rows[index][5] = "\(Double(rows[index][5])! * factor)"
    }
  }

  @Test func `the table's own figures pass`() async throws {
    let result = try await check()
    #expect(result.status == 0, "\(result.error)")
  }

  @Test func `a work that rises by 1 % passes, one by 3 % fails and is named, and one that falls is told`() async throws
  {
    #expect(try await check { scale(&$0, by: 1.01) }.status == 0)
    let slower = try await check { scale(&$0, by: 1.03) }
    #expect(slower.status == 70 && slower.error.contains("intel, told ibrs, emulate: getppid rose by more than 2 %"))
    let faster = try await check { scale(&$0, by: 0.9) }
    #expect(faster.status == 0 && faster.error.contains("scripts/lab-cost --linux --update"))
  }

  @Test func `another number of writes fails, however small the difference, and so does a kernel that does otherwise`()
    async throws
  {
    let writes = try await check { rows in
      let index = rows.firstIndex { $0[6] == "2.00" }!
      rows[index][6] = "2.01"
    }
    #expect(writes.status == 70 && writes.error.contains("2.01 writes, the table has 2.00"))
    let other = try await check { rows in rows[0][2] = "off" }
    #expect(other.status == 70 && other.error.contains("the kernel does off"))
  }

  @Test func `a row that is no longer measured fails`() async throws {
    let result = try await check { $0.removeFirst() }
    #expect(result.status == 70 && result.error.contains("in the table, but not measured"))
  }

  @Test func `of chosen kernels only their rows must be there, and all of them`() async throws {
    let isChosen = { (row: Row) in row[0] == "intel" && row[1] == "ibrs" }
    let result = try await check(guests: ["intel:ibrs"]) { rows in rows.removeAll { !isChosen($0) } }
    #expect(result.status == 0, "\(result.error)")
    let fewer = try await check(guests: ["intel:ibrs", "intel:auto"]) { rows in rows.removeAll { !isChosen($0) } }
    #expect(fewer.status == 70 && fewer.error.contains("intel, told auto"))
    let unknown = try await Command.run(
      "scripts/lab-cost", ["--linux", "--check", "--guest", "intel:none"], timeLimit: .seconds(60))
    #expect(unknown.status == 64 && unknown.error.contains("intel-ibrs:auto"))
  }

  @Test func `the README shows the table's figures`() throws {
    let readme = try String(contentsOfFile: Command.checkout + "/README.md", encoding: .utf8)
    for row in try checkedIn().rows where row[0] == "intel" && row[4] == "getppid" && row[3] == "emulate" {
      #expect(readme.contains("| \(row[5])") || readme.contains("**\(row[5])"), "\(row)")
    }
  }
}
