// Fitting a line in several variables.

/// Least squares by the normal equations, solved by Gaussian elimination with pivots.
enum LeastSquares {
  /// The coefficients that make the weighted sum of squares of rows × coefficients - values smallest; nil where the
  /// rows do not determine them.
  static func fit(rows: [[Double]], values: [Double], weights: [Double]) -> [Double]? {
    guard let width = rows.first?.count else { return nil }
    var system = [[Double]](repeating: [Double](repeating: 0, count: width + 1), count: width)
    for (index, row) in rows.enumerated() {
      for i in 0..<width {
        for j in 0..<width { system[i][j] += weights[index] * row[i] * row[j] }
        system[i][width] += weights[index] * row[i] * values[index]
      }
    }
    return solve(&system)
  }

  /// Solves a system whose last column is the right-hand side; nil where it is singular.
  private static func solve(_ system: inout [[Double]]) -> [Double]? {
    let width = system.count
    let scales = (0..<width).map { system[$0][$0] }
    for column in 0..<width {
      let pivot = (column..<width).max { abs(system[$0][column]) < abs(system[$1][column]) } ?? column
      // If elimination leaves almost nothing of a diagonal element, the rows do not determine this coefficient.
      guard abs(system[pivot][column]) > 1e-9 * scales[column] else { return nil }
      system.swapAt(column, pivot)
      for row in 0..<width where row != column {
        let factor = system[row][column] / system[column][column]
        for k in column...width { system[row][k] -= factor * system[column][k] }
      }
    }
    return (0..<width).map { system[$0][width] / system[$0][$0] }
  }
}
