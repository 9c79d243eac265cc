// The names of a fleet's hosts. They become names of files, arguments of ssh and Slurm, and words of a script, so they
// are taken from few characters.

/// The name of a host: a Slurm node's, or one that ssh takes.
package struct HostName: Hashable, Sendable {
  package let text: String

  /// The longest name of a host in DNS (RFC 1035, section 2.3.4).
  private static let longest = 253

  /// The host of this name.
  ///
  /// - Throws: `FleetError` for a name that is none.
  package init(_ text: String) throws(FleetError) {
    if let problem = Self.problem(in: text) {
      throw FleetError(
        .dataError,
        "\"\(text)\" cannot be the name of a host: \(problem); give names of letters, digits, dots, hyphens and "
          + "underscores, such as node1 or web-1.example.org")
    }
    self.text = text
  }

  /// Why a text is no name; nil when it is one.
  private static func problem(in text: String) -> String? {
    if text.isEmpty { return "it is empty" }
    if text.utf8.count > longest { return "it is longer than \(longest) bytes" }
    if !text.utf8.allSatisfy(isPossible) { return "it has a character that names cannot have" }
    // ssh would take it for an option; a file of that name would be hidden.
    if text.hasPrefix("-") || text.hasPrefix(".") { return "it begins with \"\(text.prefix(1))\"" }
    // FleetFolder uses such names for its own files.
    if text == "fleet" || text.hasSuffix(".status") { return "the folder uses that name for another file" }
    return nil
  }

  private static func isPossible(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}

extension HostName: CustomStringConvertible {
  package var description: String { text }
}

extension [HostName] {
  /// The hosts of a file: one on each line; what follows a "#" is a remark.
  ///
  /// - Throws: `FleetError` for a line that is no name, a host that is named twice, and a file without hosts.
  package init(list text: String, of file: String) throws(FleetError) {
    self = []
    var lines: [HostName: Int] = [:]
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
      guard let word = words.first else { continue }
      guard words.count == 1 else {
        throw FleetError(
          .dataError, "\(file), line \(index + 1): there are \(words.count) words; give one host per line")
      }
      let host: HostName
      do throws(FleetError) { host = try HostName(String(word)) } catch {
        throw FleetError(error.kind, "\(file), line \(index + 1): \(error)")
      }
      if let other = lines.updateValue(index + 1, forKey: host) {
        throw FleetError(.dataError, "\(file) has \(host) twice, in lines \(other) and \(index + 1); leave out one")
      }
      append(host)
    }
    if isEmpty { throw FleetError(.dataError, "\(file) names no host; give one per line") }
  }
}
