// The program's words that each host runs: a command that makes a result, without the options that would put the result
// elsewhere.

/// The command that each host of a fleet runs.
package struct FleetCommand: Equatable, Sendable {
  /// The command and its options: `["bench", "--rounds", "8"]`.
  package let words: [String]

  /// How a command is told to give its result as JSON.
  enum JSONForm: Equatable {
    /// `--json FILE`.
    case file
    /// `--json`, to standard output.
    case standardOutput
  }

  /// The commands that make a result.
  private static let forms: [(name: String, form: JSONForm)] = [
    ("bench", .file), ("boot", .file), ("run", .standardOutput), ("probe", .standardOutput),
  ]

  let form: JSONForm

  /// Options that write another file, wait for another process, or make no result.
  private static let refused = [
    "--csv", "--samples-csv", "--serial", "--snapshot-at", "--migratable", "--interactive", "--help", "-h",
    "--version",
  ]

  /// The command of these words.
  ///
  /// - Throws: `FleetError` for words that make no result, or whose result would not come back.
  package init(_ words: [String]) throws(FleetError) {
    let names = Self.forms.map(\.name)
    guard let name = words.first else {
      throw FleetError(
        .usage,
        "the command for the hosts is missing; give one of \(names.joined(separator: ", ")) after \"--\", as in "
          + "-- bench --rounds 8")
    }
    guard let form = Self.forms.first(where: { $0.name == name })?.form else {
      throw FleetError(
        .usage, "\"\(name)\" makes no result of a host; give one of \(names.joined(separator: ", ")) after \"--\"")
    }
    let options = words.dropFirst().map { $0.prefix { $0 != "=" } }
    if options.contains("--json") {
      throw FleetError(.usage, "--json is added for each host, into a file of its own; leave it out after \"--\"")
    }
    if let option = options.first(where: { $0 == "--host-id" || $0 == "--plain-host" }) {
      throw FleetError(
        .usage, "\(option) cannot be given to a fleet: each result has its host's name as its id; leave it out")
    }
    if let option = options.first(where: { Self.refused.contains(String($0)) }) {
      throw FleetError(.usage, "\(option) cannot be given to a fleet: only results as JSON come back; leave it out")
    }
    guard words.allSatisfy({ !$0.contains("\u{fffd}") && !$0.contains("\0") }) else {
      throw FleetError(.usage, "a word after \"--\" is not UTF-8, but fleet.json can hold only UTF-8")
    }
    self.words = words
    self.form = form
  }
}
