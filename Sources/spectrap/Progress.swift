// A bar on the terminal while something takes its time; nothing where standard error is no terminal.

import Glibc

struct Progress {
  private let total: Double?
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var shown = -1
  private static let width = 40

  /// A bar for something that takes `total` seconds; nil where nobody knows how long it takes.
  init(total: Double?) { self.total = total }

  /// Shows that a share of the time, 0 to 1, has passed.
  mutating func show(_ share: Double) {
    let steps = Int(share * Double(Self.width))
    guard isTerminal, steps != shown else { return }
    shown = steps
    let bar = String(repeating: "#", count: steps) + String(repeating: ".", count: Self.width - steps)
    let left = total.map { " \(Int(($0 * (1 - share)).rounded(.up))) s left" } ?? ""
    Output.progress("[\(bar)]\(left) ")
  }

  /// Takes the bar away.
  mutating func clear() {
    if isTerminal, shown >= 0 {
      Output.progress(String(repeating: " ", count: Self.width + 20) + "\r")
    }
  }
}
