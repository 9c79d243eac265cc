// A benchmark, or several side by side, as one page for a browser.
//
// The page needs no network and runs no script: its style and its charts are in it, and a content security policy
// allows nothing else. Text from results is escaped by `HTML`; charts are images, in which a browser runs no script
// either.
// Facts: W3C Content Security Policy Level 3, 6.1 (img-src data:), SVG Integration, "secure static mode" of images.

import FoundationEssentials
public import Measurement

/// A page about one benchmark or several.
public struct ReportPage {
  private let parts: [Part]
  private let title: String
  /// The command that made it.
  private let maker: String

  /// A benchmark with its name and its charts.
  public struct Result {
    public var name: String
    public var report: BenchReport
    public var pictures: [Picture]

    /// A benchmark with its name and its charts.
    public init(name: String, report: BenchReport, pictures: [Picture]) {
      self.name = name
      self.report = report
      self.pictures = pictures
    }
  }

  /// A chart, drawn.
  public struct Picture {
    public var title: String
    /// The bytes of an SVG file.
    public var svg: [UInt8]

    /// A chart of this title, drawn as SVG.
    public init(title: String, svg: [UInt8]) {
      self.title = title
      self.svg = svg
    }
  }

  /// The page of these results.
  ///
  /// - Parameter whyNoCharts: why the results have no pictures, in a sentence; nil if they have them.
  public init(_ results: [Result], whyNoCharts: String?) {
    maker = "spectrap report"
    title = results.count == 1 ? "Spectrap: \(results[0].report.host.summary)" : "Spectrap: \(results.count) results"
    let together = BenchOverview(results.map { ($0.name, $0.report) }).document
    let overview = results.count > 1 ? [Part(title: "Side by side", sections: together.sections, pictures: [])] : []
    parts =
      overview
      + results.flatMap { result in
        Self.parts(of: result, prefix: results.count > 1 ? "\(result.name): " : "", whyNoCharts: whyNoCharts)
      }
  }

  /// A page of these parts, without charts.
  init(title: String, maker: String, parts: [(title: String, document: Document)]) {
    self.title = title
    self.maker = maker
    self.parts = parts.map { Part(title: $0.title, sections: $0.document.sections, pictures: []) }
  }

  private static func parts(of result: Result, prefix: String, whyNoCharts: String?) -> [Part] {
    let report = result.report
    let missing = whyNoCharts.map { Document.Section([.paragraph(Document.Paragraph("There are no charts: \($0)"))]) }
    var parts = [
      Part(
        title: prefix + "conclusions", sections: report.conclusions.sections, pictures: [], isResult: !prefix.isEmpty),
      Part(title: prefix + "claims", sections: report.claimDocument.sections, pictures: []),
      Part(title: prefix + "charts", sections: [missing].compactMap(\.self), pictures: result.pictures),
      Part(title: prefix + "tables", sections: report.tableDocument.sections, pictures: []),
      Part(title: prefix + "environment", sections: report.environmentDocument.sections, pictures: []),
      Part(title: prefix + "how to reproduce", sections: report.reproduction.sections, pictures: []),
    ]
    if !prefix.isEmpty { return parts }
    for index in parts.indices { parts[index].title = parts[index].title.capitalisedFirst }
    return parts
  }

  /// The page as HTML.
  public var html: String {
    let contents = parts.enumerated().map { number, part in
      HTML.element("li", of: [.element("a", ["href": "#part-\(number + 1)"], text: part.title)])
    }
    let body: [HTML] =
      [
        .element("h1", text: title),
        .element(
          "p", ["class": "note"],
          text: "Made by \(maker). Medians with 95 % intervals, unless stated otherwise."),
        .element(
          "nav", ["aria-label": "Contents"],
          of: [.element("ul", of: ["\n", .lines(contents)])]),
      ] + parts.enumerated().map { $1.html(number: $0 + 1) }
    let page: HTML = .lines([
      "<!DOCTYPE html>",
      .element("html", ["lang": "en"], of: ["\n", .lines([head, .element("body", of: ["\n", .lines(body)])])]),
    ])
    return page.markup.printable
  }

  private var head: HTML {
    .element(
      "head",
      of: [
        "\n",
        .lines([
          "<meta charset=\"utf-8\">", "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">",
          "<meta name=\"generator\" content=\"spectrap\">", "<link rel=\"icon\" href=\"data:,\">",
          .element("title", text: title), .style(PageStyle.css),
        ]),
      ])
  }
}

/// A part of the page, with an anchor.
private struct Part {
  var title: String
  var sections: [Document.Section]
  var pictures: [ReportPage.Picture]
  /// Whether it begins a result.
  var isResult = false

  func html(number: Int) -> HTML {
    let title: HTML = .element("h2", ["id": "part-\(number)", "class": isResult ? "result" : nil], text: title)
    return .lines([title] + sections.map(\.html) + pictures.map(\.html))
  }
}

extension ReportPage.Picture {
  fileprivate var html: HTML {
    .element(
      "figure", ["class": "scroll", "tabindex": "0"],
      of: [
        .empty(
          "img",
          [
            "alt": title, "width": "\(width)",
            "src": "data:image/svg+xml;base64,\(Data(svg).base64EncodedString())",
          ])
      ])
  }

  /// The width that the file gives itself in its head, in pixels; 900 where it gives none.
  private var width: Int {
    let head = String(decoding: svg.prefix(1000), as: UTF8.self)
    guard let start = head.firstRange(of: " width=\"")?.upperBound else { return 900 }
    return Int(head[start...].prefix { $0.isASCII && $0.isNumber }) ?? 900
  }
}

extension String {
  fileprivate var capitalisedFirst: String { prefix(1).uppercased() + dropFirst() }
}
