// Renders a document as text that fits a terminal.

extension Document {
  /// The default width of text, and the widest that is easy to read, in columns.
  public static let usualWidth = 100

  /// The document as text of at most `width` columns.
  public func text(width: Int = usualWidth) -> String {
    sections.map { $0.titleText(width: width) + $0.bodyText(width: width) }.joined(separator: "\n")
  }
}

extension Document.Section {
  /// The heading's lines.
  func titleText(width: Int) -> String { heading.map { ($0.title + $0.remark).wrapped(width: width) } ?? "" }

  /// The lines below the heading.
  func bodyText(width: Int) -> String { blocks.map { $0.text(width: width) }.joined() }
}

extension Document.Block {
  fileprivate func text(width: Int) -> String {
    switch self {
    case .facts(let facts, let indent):
      var table = Table(indent: indent)
      for fact in facts { table.add(fact.isWarning ? fact.name.uppercased() : fact.name, fact.text) }
      return table.text(width: width)
    case .paragraph(let paragraph):
      return paragraph.text.wrapped(width: width, first: paragraph.label, indent: paragraph.indent)
    case .command(let text):
      // A line that can be copied is not broken.
      return "  \(text.inOneLine)\n"
    case .table(let table):
      return table.text(width: width)
    case .list(let caption, let lines):
      return (caption?.wrapped(width: width) ?? "")
        + lines.map { $0.wrapped(width: width, first: "  ", indent: 6) }.joined()
    case .groups(let groups):
      return groups.map { group in
        "\(group.reason):".wrapped(width: width, first: "  ", indent: 2)
          + group.members.joined(separator: ", ").wrapped(width: width, first: "      ", indent: 6)
      }.joined()
    case .judgements(let judgements):
      return judgements.map { judgement in
        let indent = judgement.name.count + 2
        let lines = [judgement.reason] + [judgement.second].compactMap(\.self)
        return "\(judgement.outcome.shortText.uppercased()): \(judgement.claim)"
          .wrapped(width: width, first: judgement.name + "  ", indent: indent)
          + lines.map { $0.wrapped(width: width, first: String(repeating: " ", count: indent), indent: indent) }
          .joined()
      }.joined()
    }
  }
}
