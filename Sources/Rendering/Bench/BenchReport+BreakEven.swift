// The break-even as text: the costs of each policy, the cheapest at each number of exits, and contradictions.

import Measurement
import Registers

extension BenchReport {
  /// The model of each policy's cost.
  var modelTable: Table {
    var table = Table(right: [1, 2, 3, 4])
    table.add(["policy", "base", "per write", "per exit", "error on unseen cells"])
    for model in breakEven?.models ?? [] {
      let ids = Set(cells.filter { $0.policy == model.policy }.map(\.id))
      let errors = (breakEven?.checks ?? []).filter { ids.contains($0.cell) }.map { abs($0.relativeError) }
      table.add([
        model.policy.text, model.base.asPart, model.perWrite.asPart, model.perExit.asPart,
        errors.max().map { "up to \(Decimal.percent($0))" } ?? "not checked",
      ])
    }
    return table
  }

  /// The limits of the model, one sentence each.
  var modelCaveats: [String] {
    guard let breakEven else { return [] }
    var caveats: [String] = []
    if let reason = breakEven.withheld { caveats.append("No winner is named: \(reason).") }
    if !breakEven.leftOut.isEmpty {
      caveats.append(
        "Not compared, because too few of the same guests were measured: \(breakEven.leftOut.map(\.text).joined(separator: ", "))."
      )
    }
    if breakEven.models.contains(where: { [$0.base, $0.perWrite, $0.perExit].contains { $0 < 0 } }) {
      caveats.append("? means not known: the fit gives less than zero, so the noise is larger than the cost.")
    }
    return caveats
  }

  /// The caption of the winners.
  var winnerTitle: String {
    let fitted = Set((breakEven?.models ?? []).flatMap(\.fittedOn))
    let most = cells.filter { fitted.contains($0.id) }.map(\.writesPerEntry).max() ?? 0
    return "The cheapest policy, for up to \(counted(most, "write")) per entry, the most that was measured"
  }

  /// The cheapest policy for each number of exits, one line each, followed by cells that contradict it.
  var winnerLines: [String] {
    guard let breakEven else { return [] }
    return Set(breakEven.winners.map(\.exits)).sorted().flatMap { exits in
      let stretches = breakEven.winners.filter { $0.exits == exits }.map(\.text)
      return ["\(counted(exits, "exit")) per entry: \(stretches.joined(separator: ", "))"]
        + breakEven.contradictions.filter { $0.exits == exits }.map(\.text)
    }
  }

  /// The numbers of writes and exits at which two policies cost the same.
  var crossingLines: [String] {
    (breakEven?.crossings ?? []).map { crossing in
      let start = Decimal.text(crossing.atNoExit, digits: 2) + crossing.atNoExitInterval.text(digits: 2)
      let slope = Decimal.text(crossing.perExit, digits: 2) + crossing.perExitInterval.text(digits: 2)
      return "\(crossing.below) costs less than \(crossing.above) below \(start) plus \(slope) x exits writes per entry"
    }
  }
}

extension BreakEven.Winner {
  /// The range: "emulate up to 2.1 (1.9 to 2.3) writes".
  fileprivate var text: String {
    let interval = toInterval.text(digits: 1)
    let start = Decimal.text(from, digits: 1)
    let stretch =
      switch to.map({ Decimal.text($0, digits: 1) }) {
      case nil: from == 0 ? "at any number of writes" : "from \(start) writes on"
      case let end?: from == 0 ? "up to \(end)\(interval) writes" : "from \(start) to \(end)\(interval) writes"
      }
    return policy.text + (equals.isEmpty ? "" : " (\(equals.map(\.text).joined(separator: ", ")) equal)")
      + " \(stretch)"
  }
}

extension BreakEven.Contradiction {
  /// The contradiction as a sentence.
  fileprivate var text: String {
    let bounds = "\(Decimal.ratio(interval.lower)) to \(Decimal.ratio(interval.upper))"
    return "measured at \(counted(exits, "exit")), \(counted(writes, "write")): \(cheaper) costs less than \(named), "
      + "which the model names (at \(Decimal.ratio(ratio)) times the cost, \(bounds))"
  }
}

/// A number with its noun: "1 exit", "2 exits".

extension Double {
  /// A component of a cost; "?" where it is below zero.
  fileprivate var asPart: String { self < 0 ? "?" : Decimal.cycles(self) }
}

extension Interval? {
  /// An interval behind its figure: " (1.9 to 2.3)", " (bounds unknown)".
  func text(digits: Int) -> String {
    guard let self else { return " (bounds unknown)" }
    if self.lower < 0, self.upper > 0 { return " (at most \(Decimal.text(self.upper, digits: digits)))" }
    return " (\(Decimal.text(self.lower, digits: digits)) to \(Decimal.text(self.upper, digits: digits)))"
  }
}
