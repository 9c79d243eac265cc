// Text fits the terminal that it goes to.

import TestSupport
import Testing

@Suite("Text", .needsTerminal)
struct WidthTests {
  /// The lines that a command prints on a terminal.
  private func lines(_ arguments: [String], _ terminal: Terminal) throws -> [Substring] {
    try Spectrap.run(arguments, onTerminal: terminal).output.split(separator: "\n")
  }

  private func widest(_ arguments: [String], _ terminal: Terminal) throws -> Int {
    try lines(arguments, terminal).map(\.count).max() ?? 0
  }

  @Test(
    "fits the columns of its terminal",
    arguments: [
      ["list", "--kvm", "/nonexistent"], ["migrate", "--plan"], ["--help"], ["run", "--help"], ["disassemble", "ibrs"],
      ["probe", "--kvm", "/nonexistent"],
    ])
  func withoutKVM(arguments: [String]) throws {
    for columns in arguments[0] == "disassemble" ? [80, 100] : [60, 80, 100] {
      // A message on standard error is one line, and a listing's bytes and mnemonic are not broken.
      let text = try lines(arguments, Terminal(columns: columns)).filter { !$0.hasPrefix("spectrap: ") }
      #expect(text.count > 5 && text.allSatisfy { $0.count <= columns }, "\(text.filter { $0.count > columns })")
    }
  }

  @Test(
    "of what a guest did fits, too", .needsKVM,
    arguments: [["probe"], ["list"], ["run", "ibrs", "--histogram"], ["run", "probe"]])
  func withKVM(arguments: [String]) throws {
    for columns in [50, 80] {
      let text = try lines(arguments, Terminal(columns: columns))
      #expect(text.count > 5 && text.allSatisfy { $0.count <= columns }, "\(text.filter { $0.count > columns })")
    }
  }

  @Test("takes the terminal's own word before the environment's, and that before 80")
  func whoIsAsked() throws {
    let plan = ["migrate", "--plan"]
    let (narrow, usual) = (try widest(plan, Terminal(columns: 60)), try widest(plan, Terminal(columns: 80)))
    #expect(narrow <= 60 && usual > 60 && usual <= 80)
    #expect(try widest(plan, Terminal(columns: 60, environment: 80)) == narrow)
    #expect(try widest(plan, Terminal(columns: nil, environment: 60)) == narrow)
    #expect(try widest(plan, Terminal(columns: nil, environment: nil)) == usual)
    #expect(try widest(plan, Terminal(columns: nil, environment: -5)) == usual)
  }

  @Test("in a file is as wide as 100 columns, whatever the terminal; a listing has one line for each instruction")
  func files() throws {
    let text = try Spectrap.run("migrate", "--plan", under: ["env", "COLUMNS=40"]).output
    #expect(text == (try Spectrap.run("migrate", "--plan").output))
    let widest = text.split(separator: "\n").map(\.count).max() ?? 0
    #expect(widest > 80 && widest <= 100)
    let listing = try Spectrap.run("disassemble", "ibrs").output.split(separator: "\n")
    #expect(listing.allSatisfy { !$0.hasPrefix(" ") } && listing.contains { $0.count > 100 })
  }
}
