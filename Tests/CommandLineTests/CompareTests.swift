// `compare`: two results side by side, and the gate.

import FoundationEssentials
import TestSupport
import Testing

@Suite("A comparison of two results", .needsKVM)
struct CompareTests {
  private func compare(_ first: TemporaryFile, _ second: TemporaryFile, _ options: String...) throws -> Outcome {
    try Spectrap.run(["compare", first.path, second.path] + options)
  }

  /// The result with every measured figure of one cell raised.
  private func slower(by factor: Double, cell: String = "out/none/emulate") throws -> TemporaryFile {
    try BenchResult.copy { $0.scaleCell(cell, by: factor) }
  }

  @Test("of a result with itself finds nothing: status 0")
  func same() throws {
    let file = try BenchResult.shared.get()
    let outcome = try compare(file, file, "--threshold", "1")
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    #expect(outcome.output.contains("1.000") && outcome.output.hasPrefix("None of "))
    #expect(!outcome.output.contains("differs"))
  }

  @Test("fails where a cell became slower by more than the threshold: status 1, and names it")
  func threshold() throws {
    let outcome = try compare(try BenchResult.shared.get(), try slower(by: 3), "--threshold", "50")
    #expect(outcome.status == 1, "\(outcome.errors)")
    let lines = outcome.output.split(separator: "\n").filter { $0.hasSuffix("SLOWER") }
    #expect(lines.count == 1 && lines[0].hasPrefix("out/none/emulate"))
    #expect(try compare(try BenchResult.shared.get(), try slower(by: 3), "--threshold", "900").status == 0)
    #expect(try compare(try BenchResult.shared.get(), try slower(by: 0.3), "--threshold", "50").status == 0)
    #expect(try compare(try BenchResult.shared.get(), try slower(by: 3)).status == 0, "no threshold, no failure")
  }

  @Test("both ways fails where a cell became faster, too, and as JSON has the same status")
  func bothWays() throws {
    let (file, faster) = (try BenchResult.shared.get(), try slower(by: 0.3))
    let outcome = try compare(file, faster, "--threshold", "50", "--both-ways")
    #expect(outcome.status == 1 && outcome.output.contains("FASTER"), "\(outcome.output)")
    #expect(try compare(file, file, "--threshold", "50", "--both-ways").status == 0)
    let json = try compare(file, faster, "--threshold", "50", "--both-ways", "--json")
    #expect(json.status == 1)
    let value = try JSONValue(parsing: json.output)
    #expect(value["kind"] == .string("compare") && value["cells"]?.elements.isEmpty == false)
    try Spectrap.run("compare", file.path, file.path, "--both-ways").expectUsageError(saying: ["--threshold"])
    try Spectrap.run("compare", file.path, file.path, "--threshold=-1").expectUsageError(saying: ["--threshold"])
  }

  /// The result with every cell cut to so many rounds.
  private func cut(to rounds: Int, _ file: TemporaryFile) throws -> TemporaryFile {
    try BenchResult.copy(of: file) {
      $0.change("cells") { cells in
        cells = .array(
          cells.elements.map { cell in
            var cell = cell
            for key in ["rounds", "warmUp"] { cell.change(key) { $0 = .array(Array($0.elements.prefix(rounds))) } }
            return cell
          })
      }
    }
  }

  @Test("fails where too few rounds leave nothing to judge: status 1, and says why")
  func tooFewRounds() throws {
    let (first, second) = (try cut(to: 3, BenchResult.shared.get()), try cut(to: 3, slower(by: 3)))
    let outcome = try compare(first, second, "--threshold", "5")
    #expect(outcome.status == 1, "\(outcome.errors)")
    #expect(outcome.output.contains("Nothing could be judged") && outcome.output.contains("out/none/emulate"))
    #expect(try compare(first, second).status == 0, "no threshold, no failure")
    let json = try JSONValue(parsing: try compare(first, second, "--threshold", "5", "--json").output)
    #expect(json["undecided"]?.elements.contains(.string("out/none/emulate")) == true)
  }

  @Test("fails where a cell was lost: status 1, and names it with what became of it")
  func lost() throws {
    let second = try BenchResult.copy {
      $0.change("cells") { cells in
        cells = .array(
          cells.elements.map { cell in
            var cell = cell
            guard cell["id"] == .string("out/none/emulate") else { return cell }
            cell.change("status") { $0 = .string("failed") }
            cell.change("reason") { $0 = .string("the guest faulted") }
            return cell
          })
      }
      $0.change("partial") { $0 = .bool(true) }
      $0.change("ended") { $0 = .string("cancelled") }
    }
    let file = try BenchResult.shared.get()
    for options in [["--threshold", "50"], ["--threshold", "50", "--both-ways"]] {
      let outcome = try Spectrap.run(["compare", file.path, second.path] + options)
      #expect(outcome.status == 1, "\(outcome.errors)")
      #expect(outcome.output.contains("failed (the guest faulted): out/none/emulate"))
      #expect(outcome.output.contains("The second is partial"))
    }
    let plain = try compare(file, second, "--json")
    #expect(plain.status == 0, "no threshold, no failure")
    let value = try JSONValue(parsing: plain.output)
    #expect(value["lost"]?.elements.first?["fate"] == .string("failed"))
    #expect(value["notes"]?.elements.count == 2, "it is partial, and a copy of the first")
  }

  @Test("is refused where the time-stamp counters run at different rates, unless forced")
  func clockRate() throws {
    let other = try BenchResult.copy { $0.change("clock") { $0.change("hertz") { $0 = .number(1e6) } } }
    let file = try BenchResult.shared.get()
    let refused = try compare(file, other)
    #expect(refused.status == 64 && refused.errors.contains("--force"), "\(refused.errors)")
    #expect(refused.errors.contains("\n  TSC: ") && refused.errors.contains("-> 1.0 MHz"), "\(refused.errors)")
    #expect(try compare(file, other, "--force").status == 0)
  }

  /// The result with every sample of its cells replaced.
  private func filled(with value: Double) throws -> TemporaryFile {
    try BenchResult.copy {
      $0.change("cells") { cells in
        cells = .array(
          cells.elements.map { cell in
            var cell = cell
            cell.change("rounds") { rounds in
              rounds = .array(rounds.elements.map { .array($0.elements.map { _ in .number(value) }) })
            }
            return cell
          })
      }
    }
  }

  @Test("of the largest numbers ends as any other", arguments: [1e308, 1.7e308, 1e-300])
  func hugeNumbers(value: Double) throws {
    let file = try filled(with: value)
    let outcome = try compare(file, file, "--threshold", "5")
    #expect(outcome.status == 0 && outcome.output.hasPrefix("None of "), "\(outcome.errors)")
    let other = try compare(file, try BenchResult.shared.get(), "--threshold", "5", "--both-ways", "--json")
    #expect(other.status == 1, "\(other.errors)")
    let folder = file.path + ".charts"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let plot = try Spectrap.run("plot", file.path, "--output", folder, under: ["env", "PATH=/nonexistent"])
    #expect(plot.status == 0, "\(plot.errors)")
  }

  @Test("fails where a cost is no cost, and says of which file", arguments: [0.0, -7])
  func impossible(value: Double) throws {
    let (file, other) = (try BenchResult.shared.get(), try filled(with: value))
    for (first, second, side) in [(file, other, "second"), (other, file, "first")] {
      let outcome = try compare(first, second, "--threshold", "50")
      #expect(outcome.status == 1 && outcome.output.contains("Void, the \(side)'s median is "), "\(outcome.output)")
      let json = try JSONValue(parsing: try compare(first, second, "--json").output)
      #expect(json["void"]?.elements.isEmpty == false && json["cells"]?.elements == [])
    }
  }

  @Test("is refused with a line for each circumstance that matters, and the number of the others")
  func manyCircumstances() throws {
    let other = try BenchResult.copy {
      $0.change("host") { host in
        host.change("kernel") { $0 = .string("1.2.13") }
        host.change("moduleParameters") { parameters in
          parameters = .object(Dictionary(uniqueKeysWithValues: (0..<40).map { ("p\($0)", .string("Y")) }))
        }
      }
    }
    let outcome = try compare(try BenchResult.shared.get(), other)
    let lines = outcome.errors.split(separator: "\n")
    #expect(outcome.status == 64 && lines.count == 3, "\(outcome.errors)")
    #expect(lines.count < 2 || lines[1].hasPrefix("  kernel: ") && lines[1].hasSuffix("-> 1.2.13"))
    #expect(lines.last?.contains("parameters of KVM's module") == true && lines.allSatisfy { $0.count < 300 })
    let all = try compare(try BenchResult.shared.get(), other, "--verbose")
    #expect(all.status == 64 && all.errors.split(separator: "\n").count > 41)
  }

  @Test("is refused where the circumstances differ, unless forced")
  func circumstances() throws {
    let other = try BenchResult.copy { $0.change("host") { $0.change("kernel") { $0 = .string("1.2.13") } } }
    let file = try BenchResult.shared.get()
    let refused = try compare(file, other)
    #expect(refused.status == 64 && refused.errors.contains("--force"), "\(refused.errors)")
    #expect(refused.errors.hasPrefix("spectrap: the two were measured under different circumstances"))
    #expect(refused.errors.contains("\n  kernel: ") && refused.errors.contains("-> 1.2.13"), "\(refused.errors)")
    let forced = try compare(file, other, "--force")
    #expect(forced.status == 0 && forced.output.contains("1.2.13"))
  }

  @Test("is refused where a file is missing, or is no result")
  func noResult() throws {
    let file = try BenchResult.shared.get()
    try Spectrap.run("compare", file.path, "/nonexistent/result.json")
      .expectFailure(66, saying: "/nonexistent/result.json")
    for (text, reason) in [
      ("", "it is empty"), ("{}", "it does not say of which kind it is"), ("[1]", "it is JSON, but no object"),
      ("no JSON", "it is not JSON"), (#"{"kind":7}"#, "of another type"),
      (#"{"kind":"compare","schemaVersion":1}"#, "it says that it is of the kind \"compare\""),
    ] {
      let other = try TemporaryFile()
      try Data(text.utf8).write(to: URL(filePath: other.path))
      try compare(other, file)
        .expectFailure(65, saying: "\(other.path) is no result of `spectrap bench --json`", reason)
    }
    let unversioned = try TemporaryFile()
    try Data(#"{"kind":"bench"}"#.utf8).write(to: URL(filePath: unversioned.path))
    try compare(unversioned, file)
      .expectFailure(65, saying: "has no schema version", "write the file with this program")
  }

  @Test("is refused where a result is cut off, lacks something, or is of a newer version")
  func damaged() throws {
    let file = try BenchResult.shared.get()
    let half = try TemporaryFile()
    try Data(file.text.utf8.prefix(file.text.utf8.count / 2)).write(to: URL(filePath: half.path))
    try compare(file, half).expectFailure(65, saying: half.path)
    let lacking = try BenchResult.copy { $0.remove("cells") }
    try compare(file, lacking).expectFailure(65, saying: "damaged", "cells")
    let newer = try BenchResult.copy { $0.change("schemaVersion") { $0 = .integer(99) } }
    try compare(file, newer).expectFailure(65, saying: "99", "versions 1 to 2")
  }
}
