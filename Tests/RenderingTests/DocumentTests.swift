import Measurement
import Testing

@testable import Rendering

/// One document, as text and as Markdown.
struct DocumentTests {
  private let document: Document = {
    var table = Table(right: [1])
    table.add("policy", "cost")
    table.add("emulate", "1100")
    return Document(
      title: "a page",
      [
        .init([.facts([.init("host", "a machine"), .warning("it is busy")])]), .init([]),
        .init(
          .init("Costs", remark: ", in cycles", note: "In cycles."),
          [.table(table), .list(caption: "Beside a neighbour", ["chatty: 2.00"])]),
        .init("Not measured", [.groups([.init("no such register", ["ibrs/manual", "ibrs/autoload"])])]),
        .init(
          "Claims", [.judgements([.init(name: "C1", claim: "It is slow", outcome: .holds, reason: "See above.")])]),
        .init(
          .init("Spread", note: "Per iteration."), [.paragraph("Nothing is dropped."), .paragraph("But warm-up.")]),
      ])
  }()

  @Test("Text has a blank line between sections, names in a column, and warnings in capitals")
  func text() {
    #expect(
      document.text() == """
        host     a machine
        WARNING  it is busy

        Costs, in cycles
        policy   cost
        emulate  1100
        Beside a neighbour
          chatty: 2.00

        Not measured
          no such register:
              ibrs/manual, ibrs/autoload

        Claims
        C1  HOLDS: It is slow
            See above.

        Spread
        Nothing is dropped.
        But warm-up.

        """)
  }

  @Test("Markdown has headings, lists and tables, and a note below a heading goes on in the paragraph that follows")
  func markdown() {
    #expect(
      document.markdown == """
        # a page

        - **host**: a machine
        - **warning**: it is busy

        ## Costs

        In cycles.

        | policy | cost |
        | --- | ---: |
        | emulate | 1100 |

        Beside a neighbour.

        - chatty: 2.00

        ## Not measured

        - no such register: `ibrs/manual`, `ibrs/autoload`

        ## Claims

        | claim | verdict | why |
        | --- | --- | --- |
        | C1: It is slow | holds | See above. |

        ## Spread

        Per iteration. Nothing is dropped.

        But warm-up.

        """)
  }

  @Test("Text fits the width that is asked for", arguments: [24, 40, 100])
  func width(width: Int) {
    let lines = document.text(width: width).split(separator: "\n")
    #expect(lines.allSatisfy { $0.count <= width }, "\(lines.filter { $0.count > width })")
  }

  @Test("Words out of a file change nothing but the text, neither as text nor as JSON")
  func hostileWords() throws {
    let words = "a\u{1b}[2Jb\u{202e}c\u{2028}d\te"
    #expect(words.printable == "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\te" && "a\nb".printable == "a\nb")
    #expect("a\nb".printableLine == "a\u{fffd}b")
    let json = try ["key": "\u{202e}\u{e000}"].jsonText()
    #expect(json == "{\n  \"key\" : \"\\u202e\\ue000\"\n}\n")
  }

  @Test("A comment that does not fit stands below where it begins, or below the code")
  func listing() {
    let listing = "10000  90  nop; a remark that is rather long for its line\nplain\n"
    #expect(
      Listing.text(listing, width: 42)
        == "10000  90  nop; a remark that is rather\n                long for its line\nplain\n")
    #expect(
      Listing.text(listing, width: 30)
        == "10000  90  nop\n          ; a remark that is\n            rather long for\n            its line\nplain\n")
    #expect(Listing.text(listing, width: 100) == listing)
  }

  @Test("In colours the text is the same text; what a result says orders no terminal")
  func colours() {
    let coloured = document.colouredText(width: 100)
    #expect(coloured.contains("\u{1b}[1mCosts, in cycles\u{1b}[0m\n"))
    #expect(coloured.contains("\u{1b}[33mWARNING\u{1b}[0m  it is busy\n"))
    #expect(coloured.contains("C1  \u{1b}[32mHOLDS\u{1b}[0m: It is slow\n"))
    var plain = coloured
    for code in [0, 1, 32, 33] { plain = plain.replacing("\u{1b}[\(code)m", with: "") }
    #expect(plain == document.text())
    let hostile = Document([.init([.facts([.warning("\u{1b}[31mred")])])])
    #expect(hostile.colouredText(width: 100) == "\u{1b}[33mWARNING\u{1b}[0m  \u{fffd}[31mred\n")
  }

  @Test("A table without a head has an empty one in Markdown, which knows no other")
  func headless() {
    var table = Table(hasHead: false)
    table.add("HOLDS", "C1")
    #expect(table.markdown == "|  |  |\n| --- | --- |\n| HOLDS | C1 |\n")
  }

  @Test("A command is a line that can be copied")
  func command() {
    let document = Document([.init([.command("spectrap bench --seed 1")])])
    #expect(document.text(width: 10) == "  spectrap bench --seed 1\n")
    #expect(document.markdown == "```sh\nspectrap bench --seed 1\n```\n")
  }
}
