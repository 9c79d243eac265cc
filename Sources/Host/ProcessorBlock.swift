// The first processor's block of /proc/cpuinfo. The whole file grows with the number of processors.
//
// Facts: Linux arch/x86/kernel/cpu/proc.c, show_cpuinfo: `key<tabs>: value` lines, an empty line after each processor.

/// The fields of one processor in /proc/cpuinfo.
struct ProcessorBlock {
  private let fields: [String: String]

  init(files: HostFiles) {
    var fields: [String: String] = [:]
    for line in (files.text("proc/cpuinfo") ?? "").split(separator: "\n", omittingEmptySubsequences: false) {
      if line.isEmpty { break }
      guard let colon = line.firstIndex(of: ":") else { continue }
      fields[String(line[..<colon].trimmed)] = String(line[line.index(after: colon)...].trimmed)
    }
    self.fields = fields
  }

  /// The text of a field; nil if it is absent or empty.
  subscript(key: String) -> String? { fields[key].flatMap { $0.isEmpty ? nil : $0 } }

  /// A field as a decimal number.
  func number(_ key: String) -> Int? { self[key].flatMap { Int($0) } }

  /// The names of the CPU's features.
  var flags: Set<String> { Set((self["flags"] ?? "").split(separator: " ").map(String.init)) }
}
