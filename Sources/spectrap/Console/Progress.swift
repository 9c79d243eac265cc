// A progress bar on the terminal. It is left out where standard error is no terminal, or one that cannot replace a
// line.

import Glibc

struct Progress {
  private let total: Double?
  private let start = ContinuousClock.now
  /// How many steps the bar has; 0 for no bar.
  private let width: Int
  private var shown = -1
  /// The longest text behind the bar, and one column that stays free: a cursor in the last column begins a new line.
  private static let rest = "[] 999999999 s left ".count

  /// A bar for work that takes `total` seconds; nil where the time left follows from the share that is done.
  init(total: Double?) {
    self.total = total
    let room = Terminal.replacesLines(STDERR_FILENO) ? Terminal.columns(of: STDERR_FILENO) - Self.rest : 0
    width = max(0, min(40, room))
  }

  /// Shows that a share of it, 0 to 1, is done.
  mutating func show(_ share: Double) {
    let steps = Int(share * Double(width))
    guard width > 0, steps != shown else { return }
    shown = steps
    let bar = String(repeating: "#", count: steps) + String(repeating: ".", count: width - steps)
    let seconds = secondsLeft(at: share).map { " \(Int($0.rounded(.up))) s left" } ?? ""
    // The blanks cover the rest of a longer number.
    let line = "[\(bar)]\(seconds)   "
    Output.progress(String(line.prefix(width + Self.rest - 1)))
  }

  /// The time left: from the total where that is known, else in proportion to the time taken so far.
  private func secondsLeft(at share: Double) -> Double? {
    if let total { return total * (1 - share) }
    return share > 0 ? (ContinuousClock.now - start) / .seconds(1) * (1 - share) / share : nil
  }

  /// Takes the bar away.
  mutating func clear() {
    guard shown >= 0 else { return }
    Output.progress(String(repeating: " ", count: width + Self.rest - 1) + "\r")
    shown = -1
  }
}
