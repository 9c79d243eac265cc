// Killing a child in the middle of what it does.

import Glibc

extension Child {
  /// Kills the program, and waits until all that it had open is closed.
  func die() {
    kill(pid, SIGKILL)
    while fact("State")?.hasPrefix("Z") == false { usleep(500) }
  }

  /// Waits until the program has written these words to standard error.
  ///
  /// Throws `ChildError` when it does not in time.
  func awaitErrors(_ words: String, by deadline: ContinuousClock.Instant) throws {
    while !errors.text.contains(words) {
      guard ContinuousClock.now < deadline else { throw ChildError(description: "never said \"\(words)\"") }
      usleep(1_000)
    }
  }
}
