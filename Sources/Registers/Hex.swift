// Numbers in the manuals' notation: 0x48.

extension FixedWidthInteger {
  /// The number in hexadecimal: `0x48`, `-0x48`.
  package var hex: String { (self < 0 ? "-0x" : "0x") + String(magnitude, radix: 16) }

  /// The digits without a prefix, with leading zeroes up to `count`: `0f`.
  package func hexDigits(_ count: Int) -> String {
    let digits = String(magnitude, radix: 16)
    return String(repeating: "0", count: Swift.max(0, count - digits.count)) + digits
  }
}
