// What the kernel and its KVM module say of themselves, on made-up hosts and on this one.

import Glibc
import Host
import Registers
import TestSupport
import Testing

@Suite("Host kernel")
struct HostKernelTests {
  private static let cpu = "sys/devices/system/cpu"

  @Test("tells its release, vulnerabilities, multithreading, scaling, turbo and clock sources")
  func full() throws {
    let cpu = HostKernelTests.cpu
    let tree = try FixtureTree([
      "proc/sys/kernel/osrelease": "6.1.0-28-amd64\n",
      "\(cpu)/vulnerabilities/spectre_v2": "Mitigation: Enhanced / Automatic IBRS; IBPB: conditional\n",
      "\(cpu)/vulnerabilities/meltdown": "Not affected\n",
      "\(cpu)/smt/active": "1\n", "\(cpu)/smt/control": "on\n",
      "\(cpu)/cpu0/cpufreq/scaling_governor": "powersave\n", "\(cpu)/cpu0/cpufreq/scaling_driver": "intel_pstate\n",
      "\(cpu)/cpu10/cpufreq/scaling_governor": "performance\n",
      "\(cpu)/cpu10/cpufreq/scaling_driver": "intel_pstate\n",
      "\(cpu)/cpu2/online": "1\n", "\(cpu)/cpuidle/current_driver": "intel_idle\n", "\(cpu)/cpufreq/boost": "0\n",
      "\(cpu)/intel_pstate/no_turbo": "0\n",
      "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
      "sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet acpi_pm \n",
    ])
    let kernel = HostKernel(files: tree.files)
    #expect(kernel.release == "6.1.0-28-amd64")
    #expect(kernel.vulnerabilities.map(\.name) == ["meltdown", "spectre_v2"])
    #expect(kernel[vulnerability: "spectre_v2"] == "Mitigation: Enhanced / Automatic IBRS; IBPB: conditional")
    #expect(kernel[vulnerability: "l1tf"] == nil)
    #expect(kernel.smt.active == true && kernel.smt.control == "on")
    #expect(kernel.scaling.map(\.cpu) == [0, 2, 10])
    #expect(kernel.scaling[1].governor == nil && kernel.scaling[1].driver == nil)
    #expect(kernel.governors == ["performance", "powersave"])
    #expect(Set(kernel.scaling.compactMap(\.driver)) == ["intel_pstate"])
    #expect(kernel.turbo == true, "intel_pstate's word counts before the generic one")
    #expect(kernel.clocksource == "tsc")
    #expect(kernel.availableClocksources == ["tsc", "hpet", "acpi_pm"])
  }

  @Test("reads the generic boost switch where there is no intel_pstate", arguments: [("1", true), ("0", false)])
  func boost(text: String, turbo: Bool) throws {
    let tree = try FixtureTree(["\(HostKernelTests.cpu)/cpufreq/boost": text])
    #expect(HostKernel(files: tree.files).turbo == turbo)
  }

  @Test("says nothing where the host says nothing")
  func empty() throws {
    let tree = try FixtureTree()
    let kernel = HostKernel(files: tree.files)
    #expect(
      kernel.release == nil && kernel[vulnerability: "spectre_v2"] == nil && kernel.turbo == nil
        && kernel.clocksource == nil)
    #expect(kernel.smt.active == nil && kernel.smt.control == nil)
    #expect(kernel.vulnerabilities.isEmpty && kernel.scaling.isEmpty && kernel.availableClocksources.isEmpty)
  }

  @Test("tells this host's release also where /proc does not, and no other host's")
  func releaseWithoutProc() throws {
    var names = utsname()
    // Safe: the structure is this call's own, and its field holds a zero at its end.
    try #require(unsafe uname(&names) == 0)
    let release = unsafe withUnsafeBytes(of: names.release) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    #expect(HostKernel.release() == release && HostKernel().release == release)
    #expect(HostKernel.release(files: try FixtureTree().files) == nil)
  }

  @Test("says nothing where a switch holds something strange")
  func strangeSwitch() throws {
    let cpu = HostKernelTests.cpu
    let tree = try FixtureTree(["\(cpu)/smt/active": "maybe\n", "\(cpu)/cpufreq/boost": "2\n"])
    let kernel = HostKernel(files: tree.files)
    #expect(kernel.smt.active == nil && kernel.turbo == nil)
  }

  @Test("of this host has a release")
  func thisHost() {
    #expect(HostKernel().release?.isEmpty == false)
  }
}

@Suite("Vendor module")
struct VendorModuleTests {
  @Test(
    "is recognised by its folder in /sys/module",
    arguments: [
      ("kvm_intel", VendorModule.Kind.kvmIntel), ("kvm_amd", .kvmAMD), ("kvm_pvm", .kvmPVM),
      ("kvm_new", .other("kvm_new")),
    ])
  func kinds(name: String, kind: VendorModule.Kind) throws {
    let tree = try FixtureTree([
      "sys/module/kvm/parameters/ignore_msrs": "N\n", "sys/module/\(name)/parameters/nested": "Y\n",
      "sys/module/kvmalloc/parameters/x": "1",
    ])
    let module = VendorModule(files: tree.files)
    #expect(module.kind == kind)
    #expect(module.kind.description == name)
    #expect(module.parameters.map(\.name) == ["nested"])
    #expect(module[parameter: "nested"] == "Y")
    #expect(module[parameter: "ignore_msrs"] == "N")
    #expect(module[parameter: "no_such"] == nil)
  }

  @Test(
    "says how it switches SPEC_CTRL: kvm-intel by hand unless its parameter says otherwise",
    arguments: [
      ("kvm_intel", nil, SpecCtrlMode.byHand), ("kvm_intel", "0", .byHand), ("kvm_intel", "1", .lists),
      ("kvm_intel", "2", .maskAndShadow), ("kvm_intel", "3", nil), ("kvm_amd", nil, nil), ("kvm_pvm", "1", nil),
    ] as [(String, String?, SpecCtrlMode?)])
  func switching(name: String, value: String?, mode: SpecCtrlMode?) throws {
    var tree = ["sys/module/\(name)/parameters/nested": "Y\n"]
    tree["sys/module/\(name)/parameters/spec_ctrl_mode"] = value.map { "\($0)\n" }
    let fixture = try FixtureTree(tree)
    #expect(VendorModule(files: fixture.files).specCtrlMode == mode)
  }

  @Test(
    "says which bits VMX's mask keeps, where it uses one",
    arguments: [("2", "0x000401\n", SpecCtrl(rawValue: 0x401)), ("1", "0x000401\n", nil), ("2", "none\n", nil)]
      as [(String, String, SpecCtrl?)])
  func mask(mode: String, text: String, mask: SpecCtrl?) throws {
    let folder = "sys/module/kvm_intel/parameters"
    let tree = try FixtureTree(["\(folder)/spec_ctrl_mode": mode, "\(folder)/spec_ctrl_mask": text])
    #expect(VendorModule(files: tree.files).specCtrlMask == mask)
  }

  @Test("is none where KVM has none")
  func none() throws {
    let tree = try FixtureTree(["sys/module/kvm/parameters/halt_poll_ns": "200000\n"])
    let module = VendorModule(files: tree.files)
    #expect(module.kind == .none)
    #expect(module.parameters.isEmpty)
    #expect(module.coreParameters.map(\.value) == ["200000"])
  }

  @Test("is the loaded one where others are built in")
  func loadedWins() throws {
    let tree = try FixtureTree([
      "sys/module/kvm_amd/parameters/npt": "1", "sys/module/kvm_intel/parameters/ept": "Y",
      "sys/module/kvm_pvm/initstate": "live\n",
    ])
    #expect(VendorModule(files: tree.files).kind == .kvmPVM)
  }

  @Test("is the one for this CPU where several are built in", arguments: [("vmx", "kvm_intel"), ("svm", "kvm_amd")])
  func builtIn(flag: String, name: String) throws {
    let tree = try FixtureTree([
      "sys/module/kvm_amd/parameters/npt": "1", "sys/module/kvm_intel/parameters/ept": "Y",
      "proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu \(flag) sse\n",
    ])
    #expect(VendorModule(files: tree.files).kind.description == name)
  }
}
