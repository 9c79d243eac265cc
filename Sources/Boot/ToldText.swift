// The text that Spectrap's own first process passes on about its kernel: two files, one after the other.
// Facts: Linux arch/x86/kernel/cpu/proc.c (show_cpuinfo: "processor" is the first line, "flags" names the features),
// arch/x86/mm/pti.c (X86_FEATURE_PTI, "pti", is set where page tables are isolated, whatever the processor needs).

/// The text of a guest's first process.
///
/// A hostile guest may send any text.
struct ToldText {
  /// What the kernel reports about Spectre v2; nil if it reports nothing.
  let mitigation: String?
  /// Whether the kernel isolates its page tables; nil if it does not say.
  let isIsolated: Bool?

  /// The line of the vulnerability file, followed by the lines of /proc/cpuinfo.
  init(_ text: [UInt8]) {
    let lines = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
    let processor = lines.firstIndex { $0.hasPrefix("processor") } ?? lines.endIndex
    mitigation = lines[..<processor].first.map(String.init)
    isIsolated = lines[processor...].first { $0.hasPrefix("flags") }.map { $0.split(separator: " ").contains("pti") }
  }
}
