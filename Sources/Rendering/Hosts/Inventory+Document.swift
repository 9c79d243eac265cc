// The inventory as a person reads it.

public import Experiments

extension Inventory {
  /// The inventory as a document: a table for each kind.
  public var document: Document {
    let isTried = workloads.contains { $0.works != nil }
    let remark = isTried ? ", and whether they run here" : " (no KVM here to try them on)"
    let kinds = [
      ("Workloads", workloads), ("Primitives", primitives), ("Entries", entries), ("Policies", policies),
      ("Images", images),
    ]
    return Document(
      kinds.map { title, items in .init(.init(title, remark: remark), [.table(Self.table(of: items))]) })
  }

  private static func table(of items: [Item]) -> Table {
    var table = Table(indent: 2)
    for item in items {
      table.add(item.name, item.works.map { $0 ? "yes" : "no" } ?? "?", item.summary)
      if item.works != true, let seen = item.seen { table.add("", "", "here: \(seen)") }
    }
    return table
  }
}
