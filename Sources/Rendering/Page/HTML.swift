// HTML whose text is escaped wherever it comes from.
// Facts: HTML Standard, 13.3 (serialising: "&", "<", ">", quotes in attribute values).

/// A piece of HTML.
///
/// Only a literal becomes markup; text and the values of attributes are escaped.
struct HTML: ExpressibleByStringLiteral {
  private(set) var markup: String

  private init(markup: String) { self.markup = markup }

  /// Markup from a literal in the program.
  init(stringLiteral markup: StaticString) { self.markup = "\(markup)" }

  /// Text, whatever it is.
  static func text(_ text: String) -> HTML { HTML(markup: escaped(text)) }

  /// A style sheet from a literal in the program.
  static func style(_ css: StaticString) -> HTML { HTML(markup: "<style>\n\(css)\n</style>\n") }

  /// An element with attributes, of which those that are nil are left out.
  static func element(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?> = [:], of content: [HTML]
  ) -> HTML {
    HTML(markup: tag(name, attributes) + content.map(\.markup).joined() + "</\(name)>")
  }

  /// An element with text as its content.
  static func element(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?> = [:], text: String
  ) -> HTML {
    element(name, attributes, of: [.text(text)])
  }

  /// An element without content or end.
  static func empty(_ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?>) -> HTML {
    HTML(markup: tag(name, attributes))
  }

  /// The pieces, a line each.
  static func lines(_ pieces: [HTML]) -> HTML { HTML(markup: pieces.map { $0.markup + "\n" }.joined()) }

  private static func tag(_ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?>) -> String {
    let given = attributes.map { name, value in value.map { " \(name)=\"\(escaped($0))\"" } ?? "" }
    return "<\(name)\(given.joined())>"
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
