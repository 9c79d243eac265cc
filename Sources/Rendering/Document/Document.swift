// What a person reads, before it is text or Markdown: sections of blocks. Whoever has something to say makes a
// document; how it is laid out is decided in Document+Text.swift and Document+Markdown.swift, and nowhere else.

/// What a person reads, in sections.
public struct Document: Equatable, Sendable {
  /// What a page is called; text at a terminal goes without.
  public var title: String?
  public var sections: [Section]

  /// A document of these sections; those without a heading and a block are left out.
  public init(title: String? = nil, _ sections: [Section]) {
    self.title = title
    self.sections = sections.filter { $0.heading != nil || !$0.blocks.isEmpty }
  }

  /// Blocks that belong together; a blank line sets a section apart from the one before.
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

  /// What a section is about.
  public struct Heading: Equatable, Sendable, ExpressibleByStringInterpolation {
    public var title: String
    /// What is said of it in the same line of text, with the mark that joins the two.
    public var remark: String
    /// The same in sentences, for a page, where a heading is short.
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
    /// Names and what is to be said of them, so many columns from the margin.
    case facts([Fact], indent: Int = 0)
    case paragraph(Paragraph)
    case table(Table)
    /// Lines that belong under a caption.
    case list(caption: String? = nil, [String])
    /// Things that share a reason, with that reason.
    case groups([Group])
    case judgements([Judgement])
  }

  /// A name and what is to be said of it.
  public struct Fact: Equatable, Sendable {
    public var name: String
    public var text: String
    /// Whether it is to be seen before the others.
    public var isWarning: Bool

    public init(_ name: String, _ text: String, isWarning: Bool = false) {
      self.name = name
      self.text = text
      self.isWarning = isWarning
    }

    /// What may spoil the rest.
    public static func warning(_ text: String) -> Fact { Fact("warning", text, isWarning: true) }
  }

  /// Sentences.
  public struct Paragraph: Equatable, Sendable, ExpressibleByStringInterpolation {
    /// What stands before the first of them, and is not one of them: "Note: ".
    public var label: String
    public var text: String
    /// How far its later lines stand from the margin, in columns.
    public var indent: Int

    /// A paragraph whose later lines stand below the first word behind the label.
    public init(_ text: String, label: String = "", indent: Int? = nil) {
      self.label = label
      self.text = text
      self.indent = indent ?? label.count
    }

    public init(stringLiteral text: String) { self.init(text) }
  }

  /// What has a reason in common.
  public struct Group: Equatable, Sendable {
    public var reason: String
    public var members: [String]

    public init(_ reason: String, _ members: [String]) {
      self.reason = reason
      self.members = members
    }
  }

  /// What becomes of something that was claimed.
  public struct Judgement: Equatable, Sendable {
    public var name: String
    public var claim: String
    public var outcome: String
    public var reason: String
    /// What a second witness says of it; nil where there is none.
    public var second: String?

    public init(name: String, claim: String, outcome: String, reason: String, second: String? = nil) {
      self.name = name
      self.claim = claim
      self.outcome = outcome
      self.reason = reason
      self.second = second
    }
  }
}
