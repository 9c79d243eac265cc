// The migration plan as a person reads it: one paragraph for each pair of hosts, policies that share an answer on one
// line.

import Experiments
import Hypervisor
import Measurement
import Migration

extension MigrationPlan {
  private static let policyWidth = 23

  /// The text; with a legend where it is about kinds of host.
  func text(isOfClasses: Bool) -> String {
    var text = "A guest started at one host, going on at another under the same policy".wrapped(width: Terminal.width)
    if isOfClasses {
      var legend = TextTable()
      for kind in HostClass.allCases { legend.add("  \(kind.rawValue)", kind.summary) }
      text += legend.text(width: Terminal.width)
    }
    for source in hosts {
      for destination in hosts {
        text += "\n" + "\(source) -> \(destination)".wrapped(width: Terminal.width)
        for group in groups(from: source, to: destination) { text += Self.lines(of: group) }
      }
    }
    return text
  }

  /// Rows that have everything in common but the policy stand together.
  private func groups(from source: String, to destination: String) -> [[Row]] {
    var groups: [[Row]] = []
    for row in rows where row.source == source && row.destination == destination {
      let position = groups.firstIndex { group in
        group[0].outcome == row.outcome && group[0].reason == row.reason && group[0].warnings == row.warnings
          && group[0].protectionAtDestination == row.protectionAtDestination
      }
      if let position { groups[position].append(row) } else { groups.append([row]) }
    }
    return groups
  }

  private static func lines(of group: [Row]) -> String {
    let row = group[0]
    let answer =
      switch row.outcome {
      case .allowed: "allowed, protects: \(row.protectionAtDestination?.word ?? "?"); \(row.reason)"
      case .unprotected: "UNPROTECTED: \(row.reason)"
      case .refused: "refused: \(row.reason)"
      case .notStarted: "no such guest: \(row.reason)"
      }
    let warned = ([answer] + row.warnings.map { "WARNING: " + $0 }).joined(separator: "; ")
    let names = group.map(\.policy.rawValue).joined(separator: ", ").wrapped(width: policyWidth)
      .split(separator: "\n").map(String.init)
    let sentences = warned.wrapped(width: Terminal.width - policyWidth - 4).split(separator: "\n").map(String.init)
    var table = ""
    for index in 0..<max(names.count, sentences.count) {
      let name = index < names.count ? names[index] : ""
      let sentence = index < sentences.count ? sentences[index] : ""
      let padding = String(repeating: " ", count: max(0, policyWidth - name.count))
      table += sentence.isEmpty ? "  \(name)\n" : "  \(name)\(padding)  \(sentence)\n"
    }
    return table
  }
}
