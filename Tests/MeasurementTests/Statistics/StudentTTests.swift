import Testing

@testable import Measurement

struct StudentTTests {
  @Test(
    "Quantiles agree with the printed tables",
    arguments: [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (30, 2.042), (1000, 1.962)])
  func quantiles(degreesOfFreedom: Int, printed: Double) {
    #expect(abs(StudentT(degreesOfFreedom: degreesOfFreedom).quantile(confidence: 0.95) - printed) < 0.0006)
  }

  @Test(
    "Quantiles of the normal distribution agree with the printed tables",
    arguments: [(0.5, 0), (0.025, -1.959964), (0.001, -3.090232), (1e-5, -4.264891)])
  func normalQuantiles(probability: Double, printed: Double) {
    #expect(abs(normalQuantile(of: probability) - printed) < 1e-6)
  }

  @Test("The tail that is left out grows with the rounds and stays below the nominal one")
  func tails() {
    let tails = [5, 6, 10, 100, 10_000].map { MedianBootstrap.tail(confidence: 0.95, rounds: $0) }
    #expect(tails == tails.sorted())
    #expect(tails.allSatisfy { $0 < 0.025 })
    #expect(tails.last ?? 0 > 0.0249)
  }
}
