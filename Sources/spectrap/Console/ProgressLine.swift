// A line of counts on the terminal, replaced by the next. It is left out where standard error is no terminal, or one
// that cannot replace a line.

import Fleet
import Glibc
import Synchronization

/// How many hosts of a fleet are how far.
final class ProgressLine: Sendable {
  private let width = Terminal.replacesLines(STDERR_FILENO) ? Terminal.columns(of: STDERR_FILENO) - 1 : 0
  private let shown = Mutex("")

  func show(_ progress: FleetProgress) {
    shown.withLock { shown in
      let text = String(progress.text.prefix(width))
      guard text != shown else { return }
      Output.progress(text + String(repeating: " ", count: max(0, shown.count - text.count)))
      shown = text
    }
  }

  /// Takes the line away.
  func clear() {
    shown.withLock { shown in
      if !shown.isEmpty { Output.progress(String(repeating: " ", count: shown.count) + "\r") }
      shown = ""
    }
  }
}
