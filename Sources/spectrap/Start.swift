// What is set right before anything else is done, so that a failure to write is always an error, and never the end of
// the program or a silence.
// Facts: setrlimit(2), SIGXFSZ; pipe(7), SIGPIPE; open(2): a new descriptor is the lowest number that is free.

import CHost
import Glibc

enum Start {
  static func prepare() {
    fillStandardDescriptors()
    _ = signal(SIGXFSZ, SIG_IGN)
    _ = signal(SIGPIPE, SIG_IGN)
  }

  /// Puts something that takes and gives nothing where a standard descriptor is closed: the first file that is opened
  /// would get its number otherwise, and what is meant for the terminal.
  private static func fillStandardDescriptors() {
    for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
      // Safe: the path is a string, which lives for the length of the call. It gets this number, for those below it are
      // taken.
      unsafe _ = open("/", chost_o_path)
    }
  }
}
