// Words and lines of sh(1), POSIX.1-2017, XCU section 2 (Shell Command Language). The scripts need a POSIX shell, date,
// mv and rm; over ssh also mktemp, dd, head -c, wc and sha256sum, which coreutils and busybox have.

/// Pieces of the scripts that hosts run.
enum Shell {
  /// A word that the shell takes as it is.
  static func quoted(_ word: String) -> String {
    "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
  }

  /// Runs the program with the words of the fleet's command; its result has the host's name as its id.
  ///
  /// It expects `$json` and `$err`, and sets `$began`, `$ended` and `$status`. A signal does not end the script: the
  /// first one lets the program give what it has measured until then, a second one ends the program at once.
  ///
  /// - Parameters:
  ///   - onSignal: what the script does at a signal.
  ///   - watching: a line that runs as soon as the program does. In both, `$child` is the program.
  static func measurement(
    of command: FleetCommand, on host: HostName, program: String, onSignal: String, watching: String = ":"
  ) -> String {
    var words = ([program] + command.words + ["--host-id", host.text]).map(quoted).joined(separator: " ")
    let output: String
    switch command.form {
    case .file: (words, output) = (words + #" --json "$json""#, "/dev/null")
    case .standardOutput: (words, output) = (words + " --json", #""$json""#)
    }
    return """
      now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
      began=$(now)
      child=
      trap '\(onSignal)' HUP INT TERM
      \(words) </dev/null >\(output) 2>"$err" &
      child=$!
      \(watching)
      wait $child
      status=$?
      # A signal ends the wait early; the program then comes to its end.
      while kill -0 $child 2>/dev/null; do
        wait $child
        status=$?
      done
      trap '' HUP INT TERM
      ended=$(now)
      """
  }
}
