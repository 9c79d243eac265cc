// What each machine runs, once, for all tests.

import Registers

extension LabHost {
  static let intel = LabHost(
    "intel", programs: ["HandOver"],
    [
      "probe": "spectrap probe --json",
      "passthrough": run("ibrs", "passthrough", iterations: 1000),
      "passthrough-more": run("ibrs", "passthrough", iterations: 10000),
      "emulate": run("ibrs", "emulate", iterations: 1000),
      "emulate-again": run("ibrs", "emulate", iterations: 1000),
      "zero": run("ibrs-zero", "passthrough", iterations: 1000),
      "read": "spectrap run rdmsr --policy passthrough --json",
      "emulate-more": run("ibrs", "emulate", iterations: 3000),
      "autoload-exits": run("chatty", "autoload", iterations: 1000),
      "autoload-exits-again": run("chatty", "autoload", iterations: 1000),
      "autoload-kept": run("ibrs-all", "autoload", iterations: 1000),
      "probe-passthrough": probe("passthrough"),
      "probe-emulate": probe("emulate"),
      "probe-autoload": probe("autoload"),
      "probe-manual": probe("manual"),
      "probe-shadow": probe("shadow"),
      "probe-adaptive": probe("adaptive"),
      "adaptive": run("ibrs", "adaptive", iterations: 1000),
      "adaptive-accepted": run("ibrs", "adaptive --accept-unprotected", iterations: 1000),
      "adaptive-resumed": resumed("adaptive --accept-unprotected"),
      "adaptive-unasked-text": "spectrap run ibrs --policy adaptive --entry syscall",
      "adaptive-accepted-text": "spectrap run ibrs --policy adaptive --entry syscall --accept-unprotected",
      "hand-over": "./HandOver 0x48 8 18",
      "writes-bhi": writing(.bhiDisS), "writes-ssbd": writing(.ssbd),
      "delay": "spectrap bench --workload delay --policy emulate --rounds 1",
      "bench": bench(seed: 1, to: "first.json"),
      "bench-again": bench(seed: 2, to: "second.json"),
      "compare": "spectrap compare first.json second.json --threshold 0.1 --both-ways --json",
      "claims": claims,
    ])

  static let intelSPR = LabHost(
    "intel-spr",
    [
      "probe": "spectrap probe --json",
      "probe-text": "spectrap probe",
      "passthrough": run("ibrs", "passthrough", iterations: 1000),
      "emulate": run("ibrs", "emulate", iterations: 1000),
      "emulate-exits": run("chatty", "emulate", iterations: 1000),
      "passthrough-exits": run("chatty", "passthrough", iterations: 1000),
      "shadow": run("ibrs", "shadow", iterations: 1000),
      "adaptive-accepted": run("ibrs", "adaptive --accept-unprotected", iterations: 1000),
      "probe-passthrough": probe("passthrough"),
      "writes-bhi": writing(.bhiDisS), "writes-ddpd": writing(.ddpdU),
      "claims": claims,
    ])

  /// Each exit is followed by a look at the register, whose results are in debugfs.
  static let intelList = LabHost(
    "intel-list", options: ["--kvm-parameters", "spec_ctrl_check=1"],
    [
      "mount": "mount -t debugfs debugfs /sys/kernel/debug",
      "probe": "spectrap probe --json",
      "autoload": run("ibrs", "autoload", iterations: 1000),
      "autoload-exits": run("chatty", "autoload", iterations: 1000),
      "autoload-kept": run("ibrs-all", "autoload", iterations: 1000),
      "autoload-text": "spectrap run ibrs --policy autoload --entry syscall",
      "shadow": run("ibrs", "shadow", iterations: 200),
      "probe-autoload": probe("autoload"),
      "keeps": keeping([.ibrs, .ssbd], policy: "autoload"),
      "exits": "cat /sys/kernel/debug/kvm_spec_ctrl/exits",
      "wrong": "cat /sys/kernel/debug/kvm_spec_ctrl/wrong",
    ])

  static let intelShadow = LabHost(
    "intel-shadow", options: ["--kvm-parameters", "spec_ctrl_check=1"],
    [
      "mount": "mount -t debugfs debugfs /sys/kernel/debug",
      "probe": "spectrap probe --json",
      "shadow": run("ibrs", "shadow", iterations: 1000),
      "left": "cat /sys/kernel/debug/kvm_spec_ctrl/left",
      "shadow-set": run("ibrs-all", "shadow", iterations: 200),
      "passthrough": run("ibrs", "passthrough", iterations: 200),
      "autoload": run("ibrs", "autoload", iterations: 200),
      "emulate": run("ibrs", "emulate", iterations: 200),
      "left-by-emulate": "cat /sys/kernel/debug/kvm_spec_ctrl/left",
      "probe-shadow": probe("shadow"),
      "keeps": keeping([.ssbd], policy: "shadow"),
      "left-by-ssbd": "cat /sys/kernel/debug/kvm_spec_ctrl/left",
      "wrong": "cat /sys/kernel/debug/kvm_spec_ctrl/wrong",
      "adaptive": run("ibrs", "adaptive", iterations: 1000),
      "by-hand": claims(inMode: 0), "lists": claims(inMode: 1, beside: [0]), "mask": claims(inMode: 2, beside: [0, 1]),
      "compare": "spectrap compare mode-0.json mode-1.json --json",
    ])

  static let amdIBRS = LabHost(
    "amd-ibrs",
    [
      "probe": "spectrap probe --json",
      "passthrough": run("ibrs", "passthrough", iterations: 1000),
      "emulate": run("ibrs", "emulate", iterations: 1000),
      "probe-passthrough": probe("passthrough"),
      "probe-autoload": probe("autoload"),
      "claims": claims,
    ])

  static let intelIBRS = LabHost(
    "intel-ibrs", programs: ["HandOver"],
    [
      "probe": "spectrap probe --json",
      "passthrough": run("ibrs", "passthrough", iterations: 1000),
      "emulate": run("ibrs", "emulate", iterations: 1000),
      "zero": run("ibrs-zero", "passthrough", iterations: 1000),
      "read": "spectrap run rdmsr --policy passthrough --json",
      "adaptive": run("ibrs", "adaptive", iterations: 1000),
      "adaptive-more": run("ibrs", "adaptive", iterations: 10000),
      "adaptive-resumed": resumed("adaptive"),
      "inspect": stopped("emulate", in: "inspected.snap", then: "spectrap inspect inspected.snap"),
      "adaptive-set": run("ibrs-all", "adaptive", iterations: 1000),
      "adaptive-phases": run("phases --phase-length 6000", "adaptive", iterations: 12100),
      "probe-adaptive": probe("adaptive"),
      "hand-over": "./HandOver 0x48 8 2018",
      "claims": claims,
    ])

  static let intelOld = LabHost(
    "intel-old",
    [
      "probe": "spectrap probe --json",
      "passthrough": run("ibrs", "passthrough", iterations: 1000),
      "autoload": run("ibrs", "autoload", iterations: 1000),
      "manual": run("ibrs", "manual", iterations: 1000),
      "emulate": run("ibrs", "emulate", iterations: 1000),
      "emulate-text": "spectrap run ibrs --entry syscall --policy emulate",
      "adaptive": run("ibrs", "adaptive", iterations: 1000),
    ])

  static let amd = LabHost(
    "amd",
    [
      "probe": "spectrap probe --json",
      "passthrough": run("ibrs", "passthrough", iterations: 1000),
      "autoload": run("ibrs", "autoload", iterations: 1000),
      "manual": run("ibrs", "manual", iterations: 1000),
      "list": "spectrap list --json",
      "bare": run("bare", "emulate", iterations: 1000),
      "ibrs": run("ibrs", "emulate", iterations: 1000),
      "ibrs-all": run("ibrs-all", "emulate", iterations: 1000),
      "ibrs-forced": run("ibrs-forced", "emulate", iterations: 1000),
      "ibrs-zero": run("ibrs-zero", "emulate", iterations: 1000),
      "retpoline": run("retpoline", "emulate", iterations: 1000),
      "indirect": run("indirect", "emulate", iterations: 1000),
      "chatty": run("chatty", "emulate", iterations: 1000),
      "phases": run("phases", "emulate", iterations: 1000),
      "ibpb": run("ibpb", "emulate", iterations: 1000),
      "ssbd": run("ssbd", "emulate", iterations: 1000),
      "probe-emulate": probe("emulate"),
      "wrmsr": primitive("wrmsr"),
      "rdmsr": primitive("rdmsr"),
      "cpuid": primitive("cpuid"),
      "out": primitive("out"),
      "out-twice": primitive("out-twice"),
      "out-interrupted": primitive("out-interrupted"),
      "mmio": primitive("mmio"),
      "hlt": primitive("hlt"),
      "delay": primitive("delay"),
      "claims": claims,
      "no-tracefs": "spectrap run bare --entry syscall --trace-kvm",
    ])

  /// The host of this name.
  static func named(_ name: String) -> LabHost {
    switch name {
    case "intel": .intel
    case "intel-spr": .intelSPR
    case "intel-list": .intelList
    case "intel-shadow": .intelShadow
    case "intel-ibrs": .intelIBRS
    case "intel-old": .intelOld
    case "amd-ibrs": .amdIBRS
    default: .amd
    }
  }

  /// Samples of 5 iterations or so: the timer's interrupt falls into few of them, and the median is free of it.
  private static func run(_ workload: String, _ policy: String, iterations: Int) -> String {
    "spectrap run \(workload) --entry syscall --policy \(policy) --iterations \(iterations) --samples 200 --json"
  }

  /// A guest that is stopped after half of its iterations, and goes on from its file.
  private static func resumed(_ policy: String) -> String {
    stopped(policy, in: "half.snap", then: "spectrap resume half.snap --json")
  }

  private static func stopped(_ policy: String, in file: String, then command: String) -> String {
    "sh -c '\(run("ibrs", policy, iterations: 1000)) --snapshot-at 500 \(file) >/dev/null && \(command)'"
  }

  /// A whole benchmark of one round, whose result stays in the machine: a file of that size takes long to come out.
  private static func bench(seed: Int, to file: String) -> String {
    "sh -c 'spectrap bench --rounds 1 --seed \(seed) --json \(file) >/dev/null'"
  }

  /// A guest of a few bytes, in real mode, that writes these bits to SPEC_CTRL; its serial port says T where they are
  /// taken, and F where that is a #GP.
  private static func writing(_ bits: SpecCtrl) -> String {
    let handler: UInt16 = 0x7c00 + 37
    var code: [UInt8] = [0x31, 0xc0, 0x8e, 0xd8]  // xor ax, ax; mov ds, ax
    code += [0xc7, 0x06, 0x34, 0x00, UInt8(handler & 0xff), UInt8(handler >> 8)]  // vector 13 is at 0x34
    code += [0xc7, 0x06, 0x36, 0x00, 0x00, 0x00]
    code += [0x66, 0xb9, 0x48, 0x00, 0x00, 0x00]  // mov ecx, 0x48
    code += [0x66, 0xb8] + (0..<4).map { UInt8(bits.rawValue >> ($0 * 8) & 0xff) }  // mov eax, bits
    code += [0x66, 0x31, 0xd2, 0x0f, 0x30]  // xor edx, edx; wrmsr
    code += [0xb0, UInt8(ascii: "T"), 0xeb, 0x02]  // mov al, 'T'; jmp over the next
    code += [0xb0, UInt8(ascii: "F")]  // the handler: mov al, 'F'
    code += [0xba, 0xf8, 0x03, 0xee, 0xf4]  // mov dx, 0x3f8; out dx, al; hlt
    return booting(code, policy: "passthrough")
  }

  /// A guest of a few bytes, in real mode, that writes these bits to SPEC_CTRL once, exits 100 times and reads the
  /// register; its serial port says T where that is what it wrote, else F.
  private static func keeping(_ bits: SpecCtrl, policy: String) -> String {
    var code: [UInt8] = [0x66, 0xb9, 0x48, 0x00, 0x00, 0x00]  // mov ecx, 0x48
    code += [0x66, 0xb8] + (0..<4).map { UInt8(bits.rawValue >> ($0 * 8) & 0xff) }  // mov eax, bits
    code += [0x66, 0x31, 0xd2, 0x0f, 0x30]  // xor edx, edx; wrmsr
    code += [0xbb, 0x64, 0x00]  // mov bx, 100
    code += [0xe6, 0x80, 0x4b, 0x75, 0xfb]  // out 0x80, al; dec bx; jnz back to out
    code += [0x66, 0x31, 0xc0, 0x0f, 0x32, 0x66, 0x3d]  // xor eax, eax; rdmsr; cmp eax, bits
    code += (0..<4).map { UInt8(bits.rawValue >> ($0 * 8) & 0xff) }
    code += [0xb0, UInt8(ascii: "T"), 0x74, 0x02, 0xb0, UInt8(ascii: "F")]  // mov al, 'T'; je over; mov al, 'F'
    code += [0xba, 0xf8, 0x03, 0xee, 0xf4]  // mov dx, 0x3f8; out dx, al; hlt
    return booting(code, policy: policy)
  }

  /// Boots these bytes.
  private static func booting(_ code: [UInt8], policy: String) -> String {
    let octal = code.map { "\\" + String(String(0o1000 + Int($0), radix: 8).dropFirst()) }.joined()
    let boot = "spectrap boot writer --flat 0x7c00 --policy \(policy) --time-limit 20"
    return "sh -c 'printf \"\(octal)\" >writer; \(boot)'"
  }

  /// What becomes of the claims in one round of what they need; of a command's output the rest takes long to come out.
  private static var claims: String {
    let workloads = [
      "bare", "ibrs", "ibrs-zero", "ibrs-all", "ibrs-forced", "retpoline", "chatty", "cpuid", "out", "wrmsr",
    ]
    return
      "sh -c 'spectrap bench --rounds 1 --seed 1 \(workloads.map { "--workload \($0)" }.joined(separator: " ")) >text; "
      + "sed -n \"/^The claims/,/^Break-even/p\" text'"
  }

  /// What becomes of the claims that compare KVM's modes, beside the results of other modes: kvm-intel is loaded anew.
  private static func claims(inMode mode: Int, beside others: [Int] = []) -> String {
    let load = "busybox rmmod kvm_intel && insmod /modules/kvm-intel.ko spec_ctrl_mode=\(mode)"
    let policies = ["passthrough", "emulate", "shadow"].map { "--policy \($0)" }.joined(separator: " ")
    let beside = others.map { "--other-mode mode-\($0).json" }.joined(separator: " ")
    return
      "sh -c '\(load) && spectrap bench --rounds 1 --seed 1 --workload ibrs --workload chatty --entry syscall "
      + "\(policies) \(beside) --json mode-\(mode).json >text && sed -n \"/^The claims/,/^Break-even/p\" text'"
  }

  private static func primitive(_ name: String) -> String { "spectrap run \(name) --policy emulate --json" }

  private static func probe(_ policy: String) -> String { "spectrap run probe --policy \(policy) --json" }
}
