// What a Linux kernel does against Spectre v2, by name: as it is told, and as it says of itself.
// Facts: Linux Documentation/admin-guide/kernel-parameters.txt (spectre_v2); arch/x86/kernel/cpu/bugs.c
// (spectre_v2_strings, spectre_v2_show_state: the sentence ends at the first semicolon, in older kernels at a comma).

/// What a kernel does against Spectre v2.
public enum KernelMitigation: String, CaseIterable, Sendable {
  /// What it chooses by what it sees of the processor.
  case auto
  case off
  case retpoline
  /// IBRS set at each entry and cleared at each exit.
  case ibrs
  /// IBRS set once and left on, as the processor promises to honour (IBRS_ALL).
  case eibrs

  /// The mitigation that a kernel has taken, by what it says in /sys/devices/system/cpu/vulnerabilities/spectre_v2; nil
  /// for words that are not known here.
  public init?(reported text: String) {
    let sentence = text.prefix { $0 != ";" && $0 != "," }
    let words = sentence.split(separator: " ")
    switch words.first {
    case "Vulnerable": self = .off
    case "Vulnerable:" where words.dropFirst().first == "eIBRS": self = .eibrs
    case "Mitigation:":
      switch words.dropFirst().first {
      case "Retpolines": self = .retpoline
      case "Full" where words.last == "retpoline": self = .retpoline
      case "IBRS": self = .ibrs
      // "Enhanced IBRS", "Enhanced / Automatic IBRS", and either with retpolines: the register is written once.
      case "Enhanced": self = .eibrs
      default: return nil
      }
    default: return nil
    }
  }
}

extension KernelMitigation: Term {}
