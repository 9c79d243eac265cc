// Renders the sections of a document in HTML.

import Measurement

extension Document.Section {
  var html: HTML {
    var parts: [HTML] = []
    if let heading {
      parts.append(.element("h3", text: heading.title))
      if !heading.note.isEmpty { parts.append(.element("p", ["class": "note"], text: heading.note)) }
    }
    return .element("section", of: ["\n", .lines(parts + blocks.map(\.html))])
  }
}

extension Document.Block {
  fileprivate var html: HTML {
    switch self {
    case .paragraph(let paragraph):
      let label: [HTML] = paragraph.label.isEmpty ? [] : [.element("strong", text: paragraph.label), " "]
      return .element("p", of: label + [.text(paragraph.text)])
    case .command(let text): return .element("p", of: [.element("code", text: text)])
    case .facts(let facts, _):
      let rows = facts.flatMap { fact -> [HTML] in
        let look: KeyValuePairs<StaticString, String?> = ["class": fact.isWarning ? "warning" : nil]
        return [.element("dt", look, text: fact.name), .element("dd", look, text: fact.text)]
      }
      return .element("dl", ["class": "facts"], of: ["\n", .lines(rows)])
    case .table(let table): return table.html
    case .list(let caption, let lines):
      return .lines((caption.map { [.element("p", text: $0)] } ?? []) + [list(of: lines)])
    case .groups(let groups):
      return list(of: groups.map { "\($0.reason): \($0.members.joined(separator: ", "))" })
    case .judgements(let judgements): return .lines(judgements.map(\.html))
    }
  }

  private func list(of items: [String]) -> HTML {
    .element("ul", of: ["\n", .lines(items.map { .element("li", text: $0) })])
  }
}

extension Table {
  fileprivate var html: HTML {
    let head = rows.prefix(hasHead ? 1 : 0).map { row in
      HTML.element("thead", of: [tableRow(of: row) { .element("th", ["scope": "col", "class": $1], text: $2) }])
    }
    let body = rows.dropFirst(hasHead ? 1 : 0).map { row in
      tableRow(of: row) { isFirst, look, text in
        isFirst ? .element("th", ["scope": "row"], text: text) : .element("td", ["class": look], text: text)
      }
    }
    let table: HTML = .element("table", of: ["\n", .lines(head + [.element("tbody", of: ["\n", .lines(body)])])])
    return .element("div", ["class": "scroll", "tabindex": "0"], of: [table])
  }

  /// A row; each cell is made of whether it is the first, the class of a number, and the text.
  private func tableRow(of row: [String], _ cell: (Bool, String?, String) -> HTML) -> HTML {
    let cells = row.enumerated().map { column, text in
      cell(column == 0, rightColumns.contains(column) ? "n" : nil, text)
    }
    return .element("tr", of: cells)
  }
}

extension Document.Judgement {
  fileprivate var html: HTML {
    let title: [HTML] = [
      .element("strong", text: name), " ", .text(claim), " ",
      .element("span", ["class": "badge"], text: outcome.shortText),
    ]
    let reasons = [reason, second].compactMap(\.self)
    return .element(
      "div", ["class": "claim \(look)"],
      of: ["\n", .lines([.element("p", of: title)] + reasons.map { .element("p", text: $0) })])
  }

  /// The class of its style.
  private var look: String {
    switch outcome {
    case .holds: "holds"
    case .doesNotHold: "doesNotHold"
    case .cannotBeTested: "impossible"
    case .notMeasured, .notEnoughRounds, .notDecided: "open"
    }
  }
}
