import Testing

@testable import Measurement

@Suite("A number")
struct DecimalTests {
  @Test(
    "is written as people read it",
    arguments: [
      (Decimal.cycles(1234.5), "1235"), (Decimal.cycles(2.04), "2.0"), (Decimal.cycles(-0.01), "0.0"),
      (Decimal.cycles(999_999_999), "999999999"), (Decimal.cycles(-9.123e11), "-9.12e11"),
      (Decimal.cycles(9.999e9), "1.00e10"), (Decimal.cycles(.infinity), "inf"),
      (Decimal.ratio(1.006), "1.01"), (Decimal.ratio(12.34), "12.3"), (Decimal.ratio(250), "250"),
      (Decimal.count(2), "2"), (Decimal.count(0.001), "0.001"), (Decimal.percent(0.02), "2.0 %"),
      (Decimal.text(-1.5, digits: 1), "-1.5"), (Decimal.text(.infinity, digits: 1), "inf"),
      (Decimal.text(2600, upTo: 2), "2600.0"), (Decimal.text(2599.984, upTo: 2), "2599.98"),
    ])
  func numbers(text: String, expected: String) { #expect(text == expected) }
}
