// bare: an empty kernel entry, the baseline of every other workload.

extension Workload {
  static let bare = Workload(name: .bare, summary: "an empty kernel entry: the baseline")
}
