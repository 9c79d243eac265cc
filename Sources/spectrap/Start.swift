// Prepares the process, so that a failure to write is always an error, and never ends the program or passes unseen.
// Facts: setrlimit(2), SIGXFSZ; pipe(7), SIGPIPE; open(2): a new descriptor is the lowest number that is free.

import CHost
import Glibc

enum Start {
  static func prepare() {
    fillStandardDescriptors()
    _ = signal(SIGXFSZ, SIG_IGN)
    _ = signal(SIGPIPE, SIG_IGN)
  }

  /// Opens a placeholder for each closed standard descriptor.
  ///
  /// Otherwise the first opened file would get its number, and receive the text for the terminal.
  private static func fillStandardDescriptors() {
    for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
      // Safe: the path is a literal. The descriptor gets this number, because the lower ones are taken.
      unsafe _ = open("/", chost_o_path)
    }
  }
}
