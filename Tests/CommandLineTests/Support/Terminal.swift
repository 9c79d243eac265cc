// A terminal of its own for the program under test.
// Facts: script(1) runs a program on a new terminal; stty(1) says how wide that is.

import Testing

/// What the program finds itself on.
struct Terminal {
  /// How wide the terminal says that it is; nil for one that does not say.
  var columns: Int?
  /// What the environment says: COLUMNS and TERM.
  var environment: Int?
  var name = "xterm"
}

extension Spectrap {
  /// Runs the program to its end on a terminal, which gets both of its outputs.
  static func run(_ arguments: [String], onTerminal terminal: Terminal) throws -> Outcome {
    let words = arguments.map { "'\($0)'" }.joined(separator: " ")
    let command =
      "stty cols \(terminal.columns ?? 0) -opost; "
      + (terminal.environment.map { "export COLUMNS=\($0); " } ?? "unset COLUMNS; ")
      + "TERM='\(terminal.name)' exec '\(path)' \(words)"
    return try Child(["script", "--quiet", "--return", "--command", command, "/dev/null"]).outcome(by: .now + patience)
  }
}

extension Trait where Self == ConditionTrait {
  static var needsTerminal: Self {
    .enabled(
      if: (try? Child(["script", "--version"]).outcome(by: .now + Spectrap.patience).status) == 0, "needs script(1)")
  }
}
