// A bar on the terminal while something takes its time; nothing where standard error is no terminal, or one whose lines
// stay.

import Glibc

struct Progress {
  private let total: Double?
  private let start = ContinuousClock.now
  /// How many steps the bar has; 0 for no bar.
  private let width: Int
  private var shown = -1
  /// What stands behind the bar at most, and one column that stays free: a cursor in the last one begins a new line.
  private static let rest = "[] 999999999 s left ".count

  /// A bar for something that takes `total` seconds; nil where only the share that is done tells how long it takes.
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
    // Blanks over what a longer number has left there.
    let line = "[\(bar)]\(seconds)   "
    Output.progress(String(line.prefix(width + Self.rest - 1)))
  }

  /// The time left: of the whole where that is known, else as much as the share done took, for the rest.
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
