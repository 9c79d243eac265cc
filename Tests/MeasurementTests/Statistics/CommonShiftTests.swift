import Testing

@testable import Measurement

/// What the cells of two runs have in common widens each one's interval.
struct CommonShiftTests {
  private let narrow = Interval(1.08, 1.12)

  @Test("One cell alone has nothing in common with any")
  func alone() {
    let shift = CommonShift([1.1])
    #expect(shift.factor == nil && shift.allowed(narrow, at: 0) == narrow)
  }

  @Test("An interval is widened by the other cells' median, towards 1 and beyond, not by the cell's own ratio")
  func others() throws {
    let shift = CommonShift([1.1, 1, 1, 1])
    #expect(shift.factor == 1 && shift.allowed(narrow, at: 0) == narrow)
    let slower = try #require(CommonShift([1.1, 1.25, 1.25, 1.25]).allowed(narrow, at: 0))
    #expect(abs(slower.lower - 1.08 / 1.25) < 1e-12 && slower.upper == 1.12)
    let faster = try #require(CommonShift([0.9, 0.8, 0.8]).allowed(Interval(0.88, 0.92), at: 0))
    #expect(faster.lower == 0.88 && abs(faster.upper - 0.92 / 0.8) < 1e-12)
    let two = try #require(CommonShift([1.1, 1.05]).allowed(narrow, at: 0))
    #expect(abs(two.lower - 1.08 / 1.05) < 1e-12)
  }

  @Test("The less the others agree, the wider it becomes, both ways")
  func uncertainty() throws {
    let shift = CommonShift([1.1, 0.96, 0.98, 1, 1.02, 1.04])
    let allowed = try #require(shift.allowed(narrow, at: 0))
    #expect(allowed.lower < 1.06 && allowed.upper > 1.14)
  }

  @Test("The most extreme ratios leave an interval without bounds, or a finite one")
  func extremes() {
    let shift = CommonShift([1e308, 1e-308, 1e308, 1.7e308])
    #expect(shift.factor?.isFinite == true)
    for index in 0..<4 {
      if let allowed = shift.allowed(Interval(1e-308, 1e308), at: index) {
        #expect(allowed.lower > 0 && allowed.upper.isFinite)
      }
    }
    #expect(CommonShift([1e-300, 1e300]).allowed(Interval(1e-300, 1e-299), at: 0) == nil)
  }
}
