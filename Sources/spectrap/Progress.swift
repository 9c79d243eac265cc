// A bar on the terminal while something takes its time; nothing where standard error is no terminal.

import Glibc

struct Progress {
  private let total: Double?
  private let start = ContinuousClock.now
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var shown = -1
  private static let width = 40

  /// A bar for something that takes `total` seconds; nil where only the share that is done tells how long it takes.
  init(total: Double?) { self.total = total }

  /// Shows that a share of it, 0 to 1, is done.
  mutating func show(_ share: Double) {
    let steps = Int(share * Double(Self.width))
    guard isTerminal, steps != shown else { return }
    shown = steps
    let bar = String(repeating: "#", count: steps) + String(repeating: ".", count: Self.width - steps)
    let seconds = secondsLeft(at: share).map { " \(Int($0.rounded(.up))) s left" } ?? ""
    // Blanks over what a longer number has left there.
    Output.progress("[\(bar)]\(seconds)   ")
  }

  /// The time left: of the whole where that is known, else as much as the share done took, for the rest.
  private func secondsLeft(at share: Double) -> Double? {
    if let total { return total * (1 - share) }
    return share > 0 ? (ContinuousClock.now - start) / .seconds(1) * (1 - share) / share : nil
  }

  /// Takes the bar away.
  mutating func clear() {
    if isTerminal, shown >= 0 {
      Output.progress(String(repeating: " ", count: Self.width + 20) + "\r")
    }
  }
}
