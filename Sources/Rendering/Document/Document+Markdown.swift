// Renders a document in GitHub's Markdown.

extension Document {
  /// The document as a page.
  public var markdown: String {
    (title.map { "# \($0)\n\n" } ?? "") + sections.map(\.markdown).joined(separator: "\n")
  }
}

extension Document.Section {
  fileprivate var markdown: String {
    var parts: [String] = []
    var rest = blocks[...]
    if let heading {
      parts.append("## \(heading.title)\n")
      var note = heading.note
      // The heading's note and a paragraph below it are joined.
      if !note.isEmpty, case .paragraph(let paragraph)? = rest.first {
        note += " " + paragraph.text
        rest = rest.dropFirst()
      }
      if !note.isEmpty { parts.append(note + "\n") }
    }
    return (parts + rest.map(\.markdown)).joined(separator: "\n")
  }
}

extension Document.Block {
  fileprivate var markdown: String {
    switch self {
    case .facts(let facts, _):
      return facts.map { "- **\($0.name)**: \($0.text)\n" }.joined()
    case .paragraph(let paragraph):
      return paragraph.label + paragraph.text + "\n"
    case .command(let text):
      return "```sh\n\(text.inOneLine)\n```\n"
    case .table(let table):
      return table.markdown
    case .list(let caption, let lines):
      return (caption.map { "\($0.withEndMark)\n\n" } ?? "") + lines.map { "- \($0)\n" }.joined()
    case .groups(let groups):
      return groups.map { group in
        "- \(group.reason): \(group.members.map { "`\($0)`" }.joined(separator: ", "))\n"
      }.joined()
    case .judgements(let judgements):
      var table = Table()
      table.add("claim", "verdict", "why")
      for judgement in judgements {
        let why = [judgement.reason, judgement.second].compactMap(\.self).joined(separator: " ")
        table.add("\(judgement.name): \(judgement.claim)", judgement.outcome.shortText, why)
      }
      return table.markdown
    }
  }
}

extension String {
  /// The text with a full stop, unless it ends in one or in a colon.
  fileprivate var withEndMark: String { hasSuffix(".") || hasSuffix(":") ? self : self + "." }
}
