// Lists of processors in the kernel's form: `0-3,8`.
// Facts: Linux lib/vsprintf.c, bitmap_list_string; lib/bitmap-str.c, bitmap_parselist.

/// A list of processors.
package struct CPUList: Equatable, Sendable {
  /// As many processors as Linux supports on x86-64 (NR_CPUS).
  static let maximumCount = 8192

  package let processors: Set<Int>

  /// Reads a list, leaving out invalid parts; `isWhole` says whether there were none.
  package init(_ text: some StringProtocol) {
    var processors: Set<Int> = []
    var isWhole = true
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      if let range = Self.range(part) { processors.formUnion(range) } else { isWhole = false }
    }
    self.processors = processors
    self.isWhole = isWhole
  }

  /// These processors.
  package init(_ processors: some Sequence<Int>) {
    self.processors = Set(processors)
    isWhole = true
  }

  /// Whether the whole text was valid.
  package let isWhole: Bool

  private static func range(_ text: some StringProtocol) -> ClosedRange<Int>? {
    let bounds = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard bounds.count <= 2, let first = bounds.first ?? nil, let last = bounds.last ?? nil, first >= 0,
      last >= first, last < maximumCount
    else { return nil }
    return first...last
  }
}

extension CPUList: CustomStringConvertible {
  /// The list for a person: "0 to 3, 8".
  package var description: String {
    var ranges: [ClosedRange<Int>] = []
    for number in processors.sorted() {
      if let last = ranges.last, last.upperBound == number - 1 {
        ranges[ranges.count - 1] = last.lowerBound...number
      } else {
        ranges.append(number...number)
      }
    }
    return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound) to \($0.upperBound)" }
      .joined(separator: ", ")
  }
}
