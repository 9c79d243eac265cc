// A number of things in words.

/// The number with the noun in its singular or plural: "1 round", "2 rounds".
package func counted(_ number: some BinaryInteger, _ noun: String) -> String {
  "\(number) \(noun)\(number == 1 ? "" : "s")"
}
