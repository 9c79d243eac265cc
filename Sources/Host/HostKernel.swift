// The running kernel: its release, its mitigations of vulnerabilities, and the settings that decide whether two
// measurements can be compared.
//
// Facts: uname(2), for the release if /proc is not mounted or shows only processes; Linux
// Documentation/ABI/testing/sysfs-devices-system-cpu (vulnerabilities, smt, cpufreq/boost);
// Documentation/admin-guide/pm/cpufreq.rst and intel_pstate.rst; Documentation/timers/timekeeping.rst.

import Glibc

/// The kernel that this program runs on, as it describes itself.
public struct HostKernel: Hashable, Sendable {
  /// One CPU vulnerability and its state.
  public struct Vulnerability: Hashable, Sendable {
    /// The file's name: `spectre_v2`.
    public let name: String
    /// The file's text: `Mitigation: Retpolines; STIBP: disabled`.
    public let text: String
  }

  /// Simultaneous multithreading.
  public struct SMT: Hashable, Sendable {
    /// Whether two threads share a core now; nil if unknown.
    public let active: Bool?
    /// `on`, `off`, `forceoff`, `notsupported` or `notimplemented`; nil if unknown.
    public let control: String?
  }

  /// How the frequency of one logical CPU is chosen.
  public struct FrequencyScaling: Hashable, Sendable {
    /// The logical CPU's number.
    public let cpu: Int
    /// The governor: `performance`, `powersave`, `schedutil`; nil if the kernel does not scale it.
    public let governor: String?
    /// The driver: `intel_pstate`, `amd-pstate`, `acpi-cpufreq`; nil if the kernel does not scale it.
    public let driver: String?
  }

  /// The release, as `uname -r` shows it; nil when unknown.
  public let release: String?
  /// Every vulnerability file, by name.
  public let vulnerabilities: [Vulnerability]
  /// Simultaneous multithreading.
  public let smt: SMT
  /// One entry for each logical CPU that the kernel lists, by number.
  public let scaling: [FrequencyScaling]
  /// Whether the CPU may exceed its nominal frequency; nil if unknown.
  public let turbo: Bool?
  /// The clock source in use: `tsc`, `kvm-clock`; nil when unknown.
  public let clocksource: String?
  /// Every available clock source, the kernel's preferred one first.
  public let availableClocksources: [String]

  /// Reads the kernel's files.
  public init(files: HostFiles = HostFiles()) {
    release = Self.release(files: files)
    let folder = "sys/devices/system/cpu"
    vulnerabilities = files.names(in: "\(folder)/vulnerabilities").compactMap { name in
      files.value("\(folder)/vulnerabilities/\(name)").map { Vulnerability(name: name, text: $0) }
    }
    smt = SMT(active: files.flag("\(folder)/smt/active"), control: files.value("\(folder)/smt/control"))
    scaling = HostKernel.cpuNumbers(files.names(in: folder)).map { cpu in
      FrequencyScaling(
        cpu: cpu,
        governor: files.value("\(folder)/cpu\(cpu)/cpufreq/scaling_governor"),
        driver: files.value("\(folder)/cpu\(cpu)/cpufreq/scaling_driver"))
    }
    turbo = files.flag("\(folder)/intel_pstate/no_turbo").map(!) ?? files.flag("\(folder)/cpufreq/boost")
    let clocks = "sys/devices/system/clocksource/clocksource0"
    clocksource = files.value("\(clocks)/current_clocksource")
    availableClocksources = (files.value("\(clocks)/available_clocksource") ?? "")
      .split(whereSeparator: \.isWhitespace).map(String.init)
  }

  /// The release of the kernel, as `uname -r` shows it; nil if unknown.
  ///
  /// Below another root it comes only from a file.
  public static func release(files: HostFiles = HostFiles()) -> String? {
    if let release = files.value("proc/sys/kernel/osrelease") { return release }
    // Safe: the bytes are the structure's field.
    return files.isOfThisHost ? unameText { unsafe withUnsafeBytes(of: $0.release) { unsafe Array($0) } } : nil
  }

  /// The machine's hostname, as `uname -n` shows it; nil if unknown.
  public static func hostname(files: HostFiles = HostFiles()) -> String? {
    if let name = files.value("proc/sys/kernel/hostname") { return name }
    // Safe: as above.
    return files.isOfThisHost ? unameText { unsafe withUnsafeBytes(of: $0.nodename) { unsafe Array($0) } } : nil
  }

  /// A field of uname(2) up to its zero; nil where it is empty or cannot be had.
  private static func unameText(_ field: (utsname) -> [UInt8]) -> String? {
    var names = utsname()
    // Safe: the structure is a local variable.
    guard unsafe uname(&names) == 0 else { return nil }
    let text = String(decoding: field(names).prefix { $0 != 0 }, as: UTF8.self)
    return text.isEmpty ? nil : text
  }

  /// Whether the kernel uses AMD's automatic IBRS.
  ///
  /// It says "Enhanced / Automatic IBRS" on either vendor's processors (arch/x86/kernel/cpu/bugs.c,
  /// spectre_v2_strings).
  public static func usesAutomaticIBRS(files: HostFiles = HostFiles()) -> Bool {
    let account = files.value("sys/devices/system/cpu/vulnerabilities/spectre_v2") ?? ""
    return ["AuthenticAMD", "HygonGenuine"].contains(ProcessorBlock(files: files)["vendor_id"])
      && account.contains("Automatic IBRS")
  }

  /// The state of one vulnerability; nil if unknown.
  public subscript(vulnerability name: String) -> String? {
    vulnerabilities.first { $0.name == name }?.text
  }

  /// The governors in use, sorted; more than one means that CPUs differ.
  public var governors: [String] { Set(scaling.compactMap(\.governor)).sorted() }

  /// The numbers in `cpu0`, `cpu1`, …; the folder also has `cpufreq` and `cpuidle`.
  private static func cpuNumbers(_ names: [String]) -> [Int] {
    names.filter { $0.hasPrefix("cpu") }.compactMap { UInt16($0.dropFirst(3)) }.map(Int.init).sorted()
  }
}

extension HostFiles {
  /// The value of a switch file: 0, 1, N or Y; nil for anything else.
  func flag(_ relative: String) -> Bool? {
    switch value(relative) {
    case "0", "N": false
    case "1", "Y": true
    default: nil
    }
  }
}
