// The content of a result for people, without its layout: sections of blocks. Only Document+Text.swift and
// Document+Markdown.swift lay it out.

package import Measurement

/// A text for people, in sections.
public struct Document: Equatable, Sendable {
  /// The title of a page; text on a terminal has none.
  public var title: String?
  public var sections: [Section]

  /// A document of these sections; empty ones are left out.
  public init(title: String? = nil, _ sections: [Section]) {
    self.title = title
    self.sections = sections.filter { $0.heading != nil || !$0.blocks.isEmpty }
  }

  /// Blocks that belong together; a blank line separates two sections.
  public struct Section: Equatable, Sendable {
    public var heading: Heading?
    public var blocks: [Block]

    public init(_ heading: Heading, _ blocks: [Block]) {
      self.heading = heading
      self.blocks = blocks
    }

    /// A section without a heading.
    public init(_ blocks: [Block]) {
      self.blocks = blocks
    }
  }

  /// A section's heading.
  public struct Heading: Equatable, Sendable, ExpressibleByStringInterpolation {
    public var title: String
    /// A remark behind the title in text, with its separator.
    public var remark: String
    /// The remark as sentences below the title in Markdown.
    public var note: String

    public init(_ title: String, remark: String = "", note: String = "") {
      self.title = title
      self.remark = remark
      self.note = note
    }

    public init(stringLiteral title: String) { self.init(title) }
  }

  /// A piece of a section.
  public enum Block: Equatable, Sendable {
    /// Names with their texts, indented by a number of columns.
    case facts([Fact], indent: Int = 0)
    case paragraph(Paragraph)
    /// A command for a shell, in one line.
    case command(String)
    case table(Table)
    case list(caption: String? = nil, [String])
    case groups([Group])
    case judgements([Judgement])
  }

  /// A name and a text.
  public struct Fact: Equatable, Sendable {
    public var name: String
    public var text: String
    /// Whether it is emphasised.
    public var isWarning: Bool

    public init(_ name: String, _ text: String, isWarning: Bool = false) {
      self.name = name
      self.text = text
      self.isWarning = isWarning
    }

    /// A warning.
    public static func warning(_ text: String) -> Fact { Fact("warning", text, isWarning: true) }
  }

  /// Sentences.
  public struct Paragraph: Equatable, Sendable, ExpressibleByStringInterpolation {
    /// A label before the first sentence: "Note: ".
    public var label: String
    public var text: String
    /// The indentation of lines after the first, in columns.
    public var indent: Int

    /// A paragraph; unless `indent` is given, its later lines are aligned with the first word behind the label.
    public init(_ text: String, label: String = "", indent: Int? = nil) {
      self.label = label
      self.text = text
      self.indent = indent ?? label.count
    }

    public init(stringLiteral text: String) { self.init(text) }
  }

  /// Things that share a reason.
  public struct Group: Equatable, Sendable {
    public var reason: String
    public var members: [String]

    public init(_ reason: String, _ members: [String]) {
      self.reason = reason
      self.members = members
    }
  }

  /// The verdict on a claim.
  public struct Judgement: Equatable, Sendable {
    package let name: String
    package let claim: String
    package let outcome: BenchReport.Verdict.Outcome
    package let reason: String
    /// The verdict of a second witness; nil if there is none.
    package var second: String?
  }
}
