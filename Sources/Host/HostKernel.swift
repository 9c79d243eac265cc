// What the running kernel says of itself: its release, the vulnerabilities it sees and what it does about them, and
// the settings that decide whether two measurements can be compared.
//
// Facts: uname(2), which tells the release where /proc is not mounted or shows processes alone; Linux
// Documentation/ABI/testing/sysfs-devices-system-cpu (vulnerabilities, smt, cpufreq/boost);
// Documentation/admin-guide/pm/cpufreq.rst and intel_pstate.rst; Documentation/timers/timekeeping.rst.

import Glibc

/// The kernel that this program runs on, by its own account.
public struct HostKernel: Hashable, Sendable {
  /// One CPU vulnerability and what the kernel says about it.
  public struct Vulnerability: Hashable, Sendable {
    /// The file's name: `spectre_v2`.
    public let name: String
    /// The kernel's words: `Mitigation: Retpolines; STIBP: disabled`.
    public let text: String
  }

  /// Simultaneous multithreading.
  public struct SMT: Hashable, Sendable {
    /// Whether two threads share a core now; nil when the kernel does not say.
    public let active: Bool?
    /// The kernel's word: `on`, `off`, `forceoff`, `notsupported` or `notimplemented`; nil when it does not say.
    public let control: String?
  }

  /// How the frequency of one logical CPU is chosen.
  public struct FrequencyScaling: Hashable, Sendable {
    /// The logical CPU's number.
    public let cpu: Int
    /// The governor: `performance`, `powersave`, `schedutil`; nil when the kernel scales nothing.
    public let governor: String?
    /// The driver: `intel_pstate`, `amd-pstate`, `acpi-cpufreq`; nil when the kernel scales nothing.
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
  /// Whether the CPU may exceed its nominal frequency; nil when the kernel does not say.
  public let turbo: Bool?
  /// The clock source in use: `tsc`, `kvm-clock`; nil when unknown.
  public let clocksource: String?
  /// Every clock source on offer, the kernel's favourite first.
  public let availableClocksources: [String]

  /// Reads what the kernel says below the given root.
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

  /// The release of the kernel, as `uname -r` shows it; nil when unknown: below a root of its own, only a file tells
  /// it.
  public static func release(files: HostFiles = HostFiles()) -> String? {
    if let release = files.value("proc/sys/kernel/osrelease") { return release }
    guard files.isOfThisHost else { return nil }
    var names = utsname()
    // Safe: the structure is this call's own.
    guard unsafe uname(&names) == 0 else { return nil }
    // Safe: the bytes are the structure's field, which holds a zero at its end.
    let release = unsafe withUnsafeBytes(of: names.release) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    return release.isEmpty ? nil : release
  }

  /// What the kernel says about spectre_v2, the vulnerability that IBRS is for; nil when it does not say.
  public var spectreV2: String? { self[vulnerability: "spectre_v2"] }

  /// What the kernel says about one vulnerability; nil when it does not say.
  public subscript(vulnerability name: String) -> String? {
    vulnerabilities.first { $0.name == name }?.text
  }

  /// The different governors in use, sorted; more than one means that CPUs differ.
  public var governors: [String] { Set(scaling.compactMap(\.governor)).sorted() }

  /// The different frequency drivers in use, sorted.
  public var scalingDrivers: [String] { Set(scaling.compactMap(\.driver)).sorted() }

  /// The numbers in `cpu0`, `cpu1`, …; the folder holds `cpufreq` and `cpuidle` as well.
  private static func cpuNumbers(_ names: [String]) -> [Int] {
    names.filter { $0.hasPrefix("cpu") }.compactMap { UInt16($0.dropFirst(3)) }.map(Int.init).sorted()
  }
}

extension HostFiles {
  /// A file that holds a switch, as the kernel writes one: 0, 1, N or Y; nil when it holds anything else.
  func flag(_ relative: String) -> Bool? {
    switch value(relative) {
    case "0", "N": false
    case "1", "Y": true
    default: nil
    }
  }
}
