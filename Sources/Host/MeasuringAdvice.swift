// What to set on a host before measuring on it: settings under which the same work takes a different time at each run,
// and mitigations that somebody has switched, so that figures are not those of a usual host.
//
// Facts: Linux Documentation/admin-guide/pm/cpufreq.rst, intel_pstate.rst;
// Documentation/admin-guide/kernel-parameters.txt (isolcpus, nohz_full, rcu_nocbs, the parameters of the mitigations);
// Documentation/ABI/testing/sysfs-devices-system-cpu (smt/control, isolated);
// Documentation/admin-guide/sysctl/kernel.rst (nmi_watchdog);
// Documentation/admin-guide/hw-vuln/vmscape.rst; arch/x86/kernel/cpu/bugs.c ("Vulnerable").

/// One thing to set before measuring.
public struct MeasuringAdvice: Hashable, Sendable {
  /// What is set: `governor`, `turbo`.
  public let what: String
  /// How it is now, and why that matters.
  public let reason: String
  /// The command for a shell; nil where none does it.
  public let command: String?

  /// Everything that this host should set, the simplest first; empty where there is nothing.
  public static func all(for kernel: HostKernel = HostKernel(), files: HostFiles = HostFiles()) -> [MeasuringAdvice] {
    [
      governor(kernel), turbo(kernel, files), multithreading(kernel), watchdog(files), clocksource(kernel),
      isolation(kernel, files), commandLine(files), vulnerable(kernel),
    ].compactMap(\.self)
  }

  private static let cpus = "/sys/devices/system/cpu"
  /// Where Debian keeps the kernel's command line.
  private static let editCommandLine = "sudoedit /etc/default/grub && sudo update-grub && sudo reboot"

  private static func governor(_ kernel: HostKernel) -> MeasuringAdvice? {
    let others = kernel.governors.filter { $0 != "performance" }
    guard !others.isEmpty else { return nil }
    return MeasuringAdvice(
      what: "governor",
      reason: "\(others.joined(separator: ", ")) changes the clock rate with the load; \"performance\" does not",
      command: "echo performance | sudo tee \(cpus)/cpu*/cpufreq/scaling_governor")
  }

  private static func turbo(_ kernel: HostKernel, _ files: HostFiles) -> MeasuringAdvice? {
    guard kernel.turbo == true else { return nil }
    let isIntel = files.value("sys/devices/system/cpu/intel_pstate/no_turbo") != nil
    return MeasuringAdvice(
      what: "turbo", reason: "on: the clock rate depends on what else runs and on temperature",
      command: isIntel
        ? "echo 1 | sudo tee \(cpus)/intel_pstate/no_turbo" : "echo 0 | sudo tee \(cpus)/cpufreq/boost")
  }

  private static func multithreading(_ kernel: HostKernel) -> MeasuringAdvice? {
    guard kernel.smt.control == "on", kernel.smt.active != false else { return nil }
    return MeasuringAdvice(
      what: "SMT", reason: "on: a busy sibling thread takes a share of the core, and some mitigations need it off",
      command: "echo off | sudo tee \(cpus)/smt/control")
  }

  private static func watchdog(_ files: HostFiles) -> MeasuringAdvice? {
    guard files.flag("proc/sys/kernel/nmi_watchdog") == true else { return nil }
    return MeasuringAdvice(
      what: "NMI watchdog", reason: "on: its interrupts end a guest's run, and it takes a performance counter",
      command: "sudo sysctl kernel.nmi_watchdog=0")
  }

  private static func clocksource(_ kernel: HostKernel) -> MeasuringAdvice? {
    guard let now = kernel.clocksource, now != "tsc", kernel.availableClocksources.contains("tsc") else { return nil }
    return MeasuringAdvice(
      what: "clocksource", reason: "\(now), although the time-stamp counter can be it",
      command: "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource")
  }

  private static func isolation(_ kernel: HostKernel, _ files: HostFiles) -> MeasuringAdvice? {
    guard let last = kernel.scaling.map(\.cpu).max(), last > 0,
      files.value("sys/devices/system/cpu/isolated").map({ CPUList($0).processors.isEmpty }) ?? true
    else { return nil }
    return MeasuringAdvice(
      what: "isolcpus",
      reason: "no processor is kept free of other work; with isolcpus=\(last) nohz_full=\(last) rcu_nocbs=\(last) on "
        + "the kernel's command line, `spectrap bench --cpu \(last)` measures on one that is",
      command: editCommandLine)
  }

  /// The parameters that switch a mitigation otherwise than the kernel would by itself.
  private static func commandLine(_ files: HostFiles) -> MeasuringAdvice? {
    let words = (files.value("proc/cmdline") ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
      .prefix { $0 != "--" }
    let switched = words.filter { word in
      // The kernel takes both kinds of line in a name.
      let name = String(word.prefix { $0 != "=" }.map { $0 == "-" ? "_" : $0 })
      return parameters.contains(name) && !word.hasSuffix("=auto")
    }
    guard !switched.isEmpty else { return nil }
    return MeasuringAdvice(
      what: "mitigations",
      reason: "the kernel's command line switches them (\(switched.joined(separator: " "))): figures are those of a "
        + "host that is protected otherwise; take the words away unless that is what you measure",
      command: editCommandLine)
  }

  /// The names of those parameters, with underscores.
  private static let parameters: Set<String> = [
    "mitigations", "spectre_v2", "nospectre_v2", "spectre_v2_user", "spectre_bhi", "nospectre_v1", "retbleed",
    "spec_rstack_overflow", "spec_store_bypass_disable", "nospec_store_bypass_disable", "vmscape", "mds",
    "tsx_async_abort", "mmio_stale_data", "reg_file_data_sampling", "gather_data_sampling", "srbds", "tsa", "l1tf",
    "l1d_flush", "indirect_target_selection", "pti", "nopti", "attack_vector", "kvm_intel.vmentry_l1d_flush",
    "kvm.nx_huge_pages", "nosmt",
  ]

  private static func vulnerable(_ kernel: HostKernel) -> MeasuringAdvice? {
    let names = kernel.vulnerabilities.filter { $0.text.hasPrefix("Vulnerable") }.map(\.name)
    guard !names.isEmpty else { return nil }
    return MeasuringAdvice(
      what: "vulnerable",
      reason: "to \(names.joined(separator: ", ")), says the kernel: a host that is protected does more at an exit; a "
        + "newer kernel and newer microcode protect, unless the command line forbids it",
      command: nil)
  }
}
