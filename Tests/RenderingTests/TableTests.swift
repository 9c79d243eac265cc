import Testing

@testable import Rendering

/// Tables, as text and as Markdown, and the lines in their cells.
struct TableTests {
  @Test("A table is made narrower by breaking its last sentences, or setting first cells apart, or folding its rows")
  func tables() {
    var facts = Table()
    facts.add("name", "a sentence of several words that goes on and on")
    facts.add("other", "short")
    #expect(facts.text(width: 60) == "name   a sentence of several words that goes on and on\nother  short\n")
    #expect(
      facts.text(width: 36)
        == "name   a sentence of several words\n       that goes on and on\nother  short\n")
    #expect(
      facts.text(width: 20) == "name\n  a sentence of\n  several words that\n  goes on and on\nother\n  short\n")
    var numbers = Table(right: [1, 2])
    numbers.add("a long name", "1234567", "89")
    numbers.add("short", "1", "2")
    #expect(numbers.text(width: 24) == "a long name  1234567  89\nshort              1   2\n")
    #expect(numbers.text(width: 18) == "a long name\n       1234567  89\nshort        1   2\n")
    #expect(numbers.text(width: 12) == "a long name\n  1234567\n  89\nshort\n        1\n   2\n")
    var hostile = Table()
    hostile.add("one\ntwo", "three\r\nfour")
    #expect(hostile.text(width: 80) == "one two  three four\n")
  }

  @Test("A column of a given width is as wide as that, and its longer cells are broken into lines")
  func fixed() {
    var table = Table(fixed: [0: 10], indent: 2)
    table.add("one, two, three", "a sentence that goes on and on for more than a line")
    table.add("four", "short")
    let text = table.text(width: 44)
    #expect(
      text == """
          one, two,   a sentence that goes on and on
          three       for more than a line
          four        short

        """)
    #expect(table.text(width: 100).hasPrefix("  one, two,   a sentence"))
  }

  @Test("A table with an indent stands that far from the margin, and is no wider for it")
  func indent() {
    var table = Table(indent: 4)
    table.add("name", "a sentence of several words that goes on")
    #expect(table.text(width: 40) == "    name  a sentence of several words\n          that goes on\n")
  }

  @Test("A Markdown table is rectangular, and bars in a cell do not break it")
  func markdown() {
    var table = Table(right: [1])
    table.add(["a|b", "1"])
    table.add(["c", "2"])
    #expect(table.markdown == "| a\\|b | 1 |\n| --- | ---: |\n| c | 2 |\n")
  }

  @Test("Lines are broken at spaces, and within a word that is longer than a line")
  func wrapping() {
    #expect("one two three".wrapped(width: 9, indent: 2) == "one two\n  three\n")
    #expect("abcdefghij".wrapped(width: 4, indent: 1) == "abcd\n efg\n hij\n")
    #expect("".wrapped(width: 10) == "\n")
    #expect("one\r\ntwo\n\nthree\u{2028}four".wrapped(width: 80) == "one two three four\n")
  }
}
