// The migration plan as a person reads it: one section for each pair of hosts; policies with the same answer share a
// row.

import Experiments
import Hypervisor
public import Migration

extension MigrationPlan {
  /// The plan as a document; with `isOfClasses`, with a legend of the kinds of host.
  public func document(isOfClasses: Bool) -> Document {
    let title = "A guest started at one host, going on at another under the same policy"
    var legend = Table(indent: 2)
    for kind in HostClass.allCases { legend.add(kind.rawValue, kind.summary) }
    let pairs = hosts.flatMap { source in
      hosts.map { destination in
        Document.Section("\(source) -> \(destination)", [.table(table(from: source, to: destination))])
      }
    }
    return Document([.init([.paragraph(.init(title))] + (isOfClasses ? [.table(legend)] : []))] + pairs)
  }

  private func table(from source: String, to destination: String) -> Table {
    var table = Table(fixed: [0: 23], indent: 2)
    for group in groups(from: source, to: destination) {
      let answer = ([group[0].answer] + group[0].warnings.map { "WARNING: " + $0 }).joined(separator: "; ")
      table.add(group.map(\.policy.rawValue).joined(separator: ", "), answer)
    }
    return table
  }

  /// Groups rows that differ only in the policy.
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
}

extension MigrationPlan.Row {
  fileprivate var answer: String {
    switch outcome {
    case .allowed: "allowed, protects: \(protectionAtDestination?.summary ?? "?"); \(reason)"
    case .unprotected: "UNPROTECTED: \(reason)"
    case .refused: "refused: \(reason)"
    case .notStarted: "no such guest: \(reason)"
    }
  }
}
