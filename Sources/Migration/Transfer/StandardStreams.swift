// The standard streams as the two directions of a move, for a destination that a command such as `ssh` starts.
// Facts: fcntl(2) (F_DUPFD_CLOEXEC), dup2(2).

import Glibc
import SystemPackage

extension Connection {
  /// Takes standard input and output as the stream from another side; SIGPIPE must be ignored.
  ///
  /// From then on standard input is empty, and what is written to standard output goes to standard error.
  ///
  /// - Throws: `SocketError` when no descriptor is left.
  public static func takingStandardStreams() throws(SocketError) -> Connection {
    let what = "taking over standard input and output"
    let input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
    guard input >= 0 else { throw SocketError(what) }
    let output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
    guard output >= 0 else {
      let error = SocketError(what)
      close(input)
      throw error
    }
    let connection = Connection(reading: input, writing: output)
    // Safe: the path is a literal.
    let nothing = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
    guard nothing >= 0 else { throw SocketError(what) }
    defer { close(nothing) }
    guard dup2(nothing, STDIN_FILENO) >= 0, dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 else { throw SocketError(what) }
    return connection
  }
}
