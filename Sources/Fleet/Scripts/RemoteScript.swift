// The script that a host runs over ssh: it takes the program from standard input, measures in a folder of its own, and
// writes the result to standard output. Standard input stays open while it measures: its end tells the host that nobody
// waits any longer, and ends the program. The folder is removed in every case.
// Facts: ssh(1): the command is a line for the login shell, whichever that is; POSIX.1-2017, dd: one byte at a time
// takes nothing of what follows.

import Measurement

/// The script of a host, and the form of its answer.
struct RemoteScript {
  let host: HostName
  let command: FleetCommand
  /// The size of the program that is sent, and its SHA-256 in hexadecimal; nil if the host's own `spectrap` is used.
  let program: (size: Int, digest: String)?
  /// Marks the start of the answer, after anything that the host's shell prints.
  let token: String

  /// How much of standard error comes back, in bytes.
  static let longestError = 1 << 20

  /// The command for ssh: a line that every login shell takes, which runs the script that standard input begins with.
  var starter: String { "exec sh -c 'eval \"$(dd bs=1 count=\(text.utf8.count) 2>/dev/null)\"'" }

  /// The script.
  var text: String {
    """
    export LC_ALL=C
    umask 077
    folder=$(mktemp -d "${TMPDIR:-/tmp}/spectrap-fleet.XXXXXXXX") || exit 73
    trap 'cd /; rm -rf "$folder"' EXIT
    trap 'exit 143' HUP INT TERM
    cd "$folder" || exit 73
    \(arrival)
    exec 3<&0 </dev/null
    json=$folder/json
    err=$folder/err
    \(measurement)
    kill $watcher 2>/dev/null
    [ -f json ] || : >json
    head -c \(Self.longestError) err >err.cut
    printf '\\n\(token) %d %s %s %d %d\\n' "$status" "$began" "$ended" $(wc -c <json) $(wc -c <err.cut)
    cat json err.cut

    """
  }

  private var measurement: String {
    Shell.measurement(
      of: command, on: host, program: program == nil ? "spectrap" : "./\(FleetFolder.program)",
      onSignal: "kill -TERM $child 2>/dev/null",
      watching: "{ cat <&3; kill -TERM $child; } >/dev/null 2>&1 & watcher=$!")
  }

  /// Takes the program from standard input.
  private var arrival: String {
    guard let program else { return ":" }
    return """
      head -c \(program.size) >spectrap || exit 74
      digest=$(sha256sum <spectrap)
      if [ "${digest%% *}" != \(program.digest) ]; then
        echo "the program did not arrive whole: $(wc -c <spectrap) of \(program.size) bytes in $folder" >&2
        exit 74
      fi
      chmod 700 spectrap
      """
  }
}

/// The answer of a host over ssh.
struct RemoteAnswer: Equatable {
  let status: HostStatus
  let result: [UInt8]
  let errors: [UInt8]

  /// Parses the answer of a host; nil if there is none, or it is not whole.
  init?(_ bytes: [UInt8], token: String, host: HostName) {
    let mark = Array("\n\(token) ".utf8)
    guard let start = bytes.firstRange(of: mark), let end = bytes[start.upperBound...].firstIndex(of: 10) else {
      return nil
    }
    let words = bytes[start.upperBound..<end].split(separator: 32).map { String(decoding: $0, as: UTF8.self) }
    let content = bytes[(end + 1)...]
    guard words.count == 5, let exitStatus = Int(words[0]), (0...255).contains(exitStatus),
      Self.isTime(words[1]), Self.isTime(words[2]), let (resultCount, errorCount) = Self.counts(words[3], words[4]),
      content.count == resultCount + errorCount
    else { return nil }
    status = HostStatus(host: host.text, exitStatus: exitStatus, began: words[1], ended: words[2])
    result = Array(content.prefix(resultCount))
    errors = Array(content.dropFirst(resultCount))
  }

  private static func counts(_ result: String, _ errors: String) -> (Int, Int)? {
    guard let result = Int(result), let errors = Int(errors), (0...FleetFolder.longestResult).contains(result),
      (0...RemoteScript.longestError).contains(errors)
    else { return nil }
    return (result, errors)
  }

  /// Whether a text has the form `2026-11-30T23:59:59Z`.
  private static func isTime(_ text: String) -> Bool {
    let form = "0000-00-00T00:00:00Z"
    return text.utf8.count == form.utf8.count
      && zip(text.utf8, form.utf8).allSatisfy { byte, part in
        part == UInt8(ascii: "0") ? (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) : byte == part
      }
  }
}
