// What Spectrap's own first process tells of its kernel in words: two files, one after the other.
// Facts: Linux arch/x86/kernel/cpu/proc.c (show_cpuinfo: "processor" is the first line, "flags" names the features),
// arch/x86/mm/pti.c (X86_FEATURE_PTI, "pti", is set where page tables are isolated, whatever the processor needs).

/// The text of a guest's first process, which may be anything.
struct ToldText {
  /// What the kernel says of Spectre v2; nil where it does not say.
  let mitigation: String?
  /// Whether it isolates its page tables; nil where it does not say.
  let isIsolated: Bool?

  /// The line of the vulnerability file, and the lines of /proc/cpuinfo behind it.
  init(_ text: [UInt8]) {
    let lines = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
    let processor = lines.firstIndex { $0.hasPrefix("processor") } ?? lines.endIndex
    mitigation = lines[..<processor].first.map(String.init)
    isIsolated = lines[processor...].first { $0.hasPrefix("flags") }.map { $0.split(separator: " ").contains("pti") }
  }
}
