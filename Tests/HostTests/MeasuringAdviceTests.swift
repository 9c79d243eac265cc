// What a host is told to set before measuring, on made-up hosts.

import Host
import TestSupport
import Testing

@Suite("Advice before measuring")
struct MeasuringAdviceTests {
  private static let cpu = "sys/devices/system/cpu"

  private func advice(_ contents: [String: String]) throws -> [MeasuringAdvice] {
    let tree = try FixtureTree(contents)
    return MeasuringAdvice.all(for: HostKernel(files: tree.files), files: tree.files)
  }

  @Test("names each setting that makes figures unsteady, with the command that sets it")
  func everything() throws {
    let cpu = Self.cpu
    let found = try advice([
      "\(cpu)/cpu0/cpufreq/scaling_governor": "powersave\n", "\(cpu)/cpu1/cpufreq/scaling_governor": "performance\n",
      "\(cpu)/intel_pstate/no_turbo": "0\n", "\(cpu)/smt/active": "1\n", "\(cpu)/smt/control": "on\n",
      "\(cpu)/isolated": "\n", "proc/sys/kernel/nmi_watchdog": "1\n",
      "proc/cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/sda1 mitigations=off vmscape=force quiet -- mds=off\n",
      "\(cpu)/vulnerabilities/mds": "Vulnerable; SMT vulnerable\n", "\(cpu)/vulnerabilities/l1tf": "Not affected\n",
      "sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n",
      "sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet \n",
    ])
    #expect(
      found.map(\.what) == [
        "governor", "turbo", "SMT", "NMI watchdog", "clocksource", "isolcpus", "mitigations", "vulnerable",
      ])
    let commands = found.compactMap(\.command)
    #expect(commands.count == 7, "no command makes a kernel newer")
    #expect(commands[0] == "echo performance | sudo tee /\(cpu)/cpu*/cpufreq/scaling_governor")
    #expect(commands[1] == "echo 1 | sudo tee /\(cpu)/intel_pstate/no_turbo")
    #expect(found[0].reason.hasPrefix("powersave "))
    #expect(found[5].reason.contains("isolcpus=1 nohz_full=1 rcu_nocbs=1"))
    // What stands behind -- is the first process's.
    #expect(found[6].reason.contains("(mitigations=off vmscape=force)"))
    #expect(found[7].reason.hasPrefix("to mds,"))
  }

  @Test("has nothing to say of a host that is set, and of one that says nothing")
  func nothing() throws {
    let cpu = Self.cpu
    #expect(try advice([:]).isEmpty)
    #expect(
      try advice([
        "\(cpu)/cpu0/cpufreq/scaling_governor": "performance\n", "\(cpu)/cpu1/online": "1\n",
        "\(cpu)/cpufreq/boost": "0\n", "\(cpu)/smt/control": "off\n", "\(cpu)/isolated": "1\n",
        "proc/sys/kernel/nmi_watchdog": "0\n", "proc/cmdline": "quiet mitigations=auto isolcpus=1\n",
        "\(cpu)/vulnerabilities/spectre_v2": "Mitigation: Retpolines\n",
        "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
      ]).isEmpty)
  }

  @Test("turns turbo off by the switch that the host has")
  func boost() throws {
    let found = try advice(["\(Self.cpu)/cpufreq/boost": "1\n"])
    #expect(found.map(\.command) == ["echo 0 | sudo tee /\(Self.cpu)/cpufreq/boost"])
  }

  @Test("does not ask one processor to be kept for itself")
  func oneProcessor() throws {
    #expect(try advice(["\(Self.cpu)/cpu0/online": "1\n"]).isEmpty)
  }
}
