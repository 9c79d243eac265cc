// What goes to standard error: messages, the trace, and the progress bar. Where nobody takes it, as with a pipe that is
// not read, it is given up, so that no one waits for ever who only wanted to be told.
// Facts: poll(2); pipe(7): a pipe that can be written to takes PIPE_BUF bytes at once.

import Glibc
import Rendering

extension Output {
  /// How long a message may wait until it is taken, in milliseconds.
  private static let patience: CInt = 2000

  /// Writes a line for the person at the terminal.
  static func error(_ line: String) { write(line.printableLine + "\n", within: patience) { false } }

  /// Writes lines for the person at the terminal.
  static func errors(_ lines: String) { write(lines.printable + "\n", within: patience) { false } }

  /// Writes what replaces the line that stands there, if it is taken at once.
  static func progress(_ text: String) { write("\r" + text, within: 0) { false } }

  /// Writes a line of a trace, which waits as long as nobody reads; it is given up when a signal comes and it is over
  /// by then.
  static func trace(_ line: String, unless isOver: () -> Bool) {
    write(line.printableLine + "\n", within: -1, unless: isOver)
  }

  /// Writes what is taken.
  ///
  /// `limit` is for each part, -1 for none. `isOver` is asked after each signal.
  private static func write(_ text: String, within limit: CInt, unless isOver: () -> Bool) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      var wish = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
      // Safe: there is one structure, this call's own.
      let ready = unsafe poll(&wish, 1, limit)
      // There is no one left to tell when standard error is closed.
      if ready == 0 || ready < 0 && errno != EINTR || wish.revents & Int16(POLLNVAL) != 0 { return }
      let part = rest.prefix(512)
      // Safe: the kernel reads the part, which is there for the length of the call.
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
