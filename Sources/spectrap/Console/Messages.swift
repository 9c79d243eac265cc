// What goes to standard error: messages, the trace, and the progress bar. Where nobody takes it, as with a pipe that is
// not read, it is given up, so that no one waits for ever who only wanted to be told.
// Facts: poll(2); pipe(7): a pipe that can be written to takes PIPE_BUF bytes at once.

import Glibc
import Rendering

extension Output {
  /// How long a message may wait for its reader, in milliseconds.
  private static let timeout: CInt = 2000

  /// Writes a line for the person at the terminal.
  static func error(_ line: String) { write(line.printableLine + "\n", within: timeout) { false } }

  /// Writes lines for the person at the terminal.
  static func errors(_ lines: String) { write(lines.printable + "\n", within: timeout) { false } }

  /// Replaces the current line, if standard error takes the text at once.
  static func progress(_ text: String) { write("\r" + text, within: 0) { false } }

  /// Writes a line of a trace.
  ///
  /// It waits for its reader without limit, but gives up when a signal comes and `isOver` says so.
  static func trace(_ line: String, unless isOver: () -> Bool) {
    write(line.printableLine + "\n", within: -1, unless: isOver)
  }

  /// Writes as much of a text as standard error takes.
  ///
  /// - Parameters:
  ///   - limit: how long each part may wait, in milliseconds; -1 for no limit.
  ///   - isOver: whether to give up, asked after each signal.
  private static func write(_ text: String, within limit: CInt, unless isOver: () -> Bool) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      var wish = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
      // Safe: there is one structure, this call's own.
      let ready = unsafe poll(&wish, 1, limit)
      // Give up after the time limit, and when standard error is closed.
      if ready == 0 || ready < 0 && errno != EINTR || wish.revents & Int16(POLLNVAL) != 0 { return }
      let part = rest.prefix(512)
      // Safe: the kernel reads `part`, which lives as long as the call.
      let written =
        ready < 0 ? -1 : unsafe part.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
      if written >= 0 {
        rest = rest.dropFirst(written)
      } else if errno != EINTR && errno != EAGAIN || isOver() {
        return
      }
    }
  }
}
