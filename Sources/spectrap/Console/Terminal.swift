// The terminals that text goes to: how wide they are, whether they have colours, and whether a line there can be
// replaced.
// Facts: ioctl_tty(2), TIOCGWINSZ; environ(7), COLUMNS; term(7), the terminal `dumb`.

import Glibc
import Rendering

enum Terminal {
  /// The columns of the terminal on standard output; nil where it is no terminal.
  static let columns = isatty(STDOUT_FILENO) == 1 ? columns(of: STDOUT_FILENO) : nil

  /// The width of text in columns: the terminal's, at most the usual width.
  ///
  /// Without a terminal it is the usual width, so that files do not differ.
  static let width = min(columns ?? Document.usualWidth, Document.usualWidth)

  /// The columns of a terminal, by TIOCGWINSZ, else by the environment, else 80.
  static func columns(of terminal: CInt) -> Int {
    var size = winsize()
    // Safe: the structure is this call's own, and what the request fills.
    if unsafe ioctl(terminal, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
    if let columns = environment("COLUMNS").flatMap({ Int($0) }), columns > 0 { return columns }
    return 80
  }

  /// Whether standard output is a terminal that shows colours, and nobody has asked for none.
  ///
  /// NO_COLOR with any value but the empty one asks for none (https://no-color.org).
  static let hasColours = replacesLines(STDOUT_FILENO) && ["", nil].contains(environment("NO_COLOR"))

  /// Whether a line on this terminal can be replaced by the next; not where there is no terminal.
  static func replacesLines(_ terminal: CInt) -> Bool {
    isatty(terminal) == 1 && ![nil, "", "dumb"].contains(environment("TERM"))
  }

  private static func environment(_ name: String) -> String? {
    // Safe: the string is copied before anything could change the environment.
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }
}
