// What a guest's code can be held to without running it.
// Software KVMs interpret ring 0 and know few instructions there; what they know is listed here.

import Registers
import Testing

@testable import GuestImages

@Suite("A guest's code")
struct GuestCodeTests {
  /// What every KVM can execute in ring 0, an interpreter of the kernel's code included: no SSE arithmetic, no INT n,
  /// no RDTSCP, nothing newer.
  private static let ring0: Set<String> = [
    "mov", "push", "pop", "add", "and", "shl", "xor", "inc", "dec", "cmp", "bt", "jmp", "jb", "jae", "je", "jne",
    "call", "ret",
    "pause", "lfence", "rdtsc", "cpuid", "rdmsr", "wrmsr", "out", "hlt", "iretq", "sysretq", "sysexit",
  ]
  /// What the entry `isolated` needs beside that.
  private static let isolated = ring0.union(["swapgs", "bts", "or"])
  private static let realMode = ring0.subtracting(["iretq", "sysretq", "sysexit", "cpuid"]).union(["iretw", "iret"])
  /// What user mode needs beside its entry.
  private static let ring3: Set<String> = ["mov", "add", "cmp", "dec", "je", "jne", "lfence", "rdtsc", "hlt"]

  @Test("uses no instruction that some KVM cannot execute in its ring", arguments: Combination.possible)
  func instructions(combination: Combination) throws {
    let image = try combination.image()
    let makesBranches = image.workload.userBranches > 0
    let ring0 = combination.entry == .isolated ? Self.isolated : Self.ring0
    let allowed = combination.workload == .probe ? Self.realMode : ring0
    let names = { (program: Program) in Set(program.listing.filter { $0.kind == .instruction }.map(\.name)) }
    #expect(names(image.kernel).subtracting(allowed) == [])
    if let user = image.user {
      let entry = [
        "syscall": "syscall", "sysenter": "sysenter", "breakpoint": "int3", "undefined": "ud2", "isolated": "syscall",
      ]
      let allowed = Self.ring3.union(makesBranches ? ["jmp"] : [])
      #expect(names(user).subtracting(allowed) == [try #require(entry[combination.entry.rawValue])])
    }
  }

  @Test("is what objdump reads, to the byte", arguments: Combination.possible)
  func objdump(combination: Combination) throws { try expectWhatObjdumpReads(of: combination.image()) }

  private func expectWhatObjdumpReads(of image: GuestImage) throws {
    for (title, program) in image.programs {
      let isUser32 = image.entry == .sysenter && program.origin == Layout.userText
      let mode: CodeMode = image.workload.name == .probe ? .bits16 : isUser32 ? .bits32 : .bits64
      let seen = try disassemble(program.bytes, at: program.origin, mode)
      let lines = program.listing.filter { $0.kind == .instruction }
      #expect(seen.count == lines.count, "\(title)")
      #expect(lines.filter { seen[$0.address]?.bytes != $0.bytes }.map(\.mnemonic) == [], "\(title)")
    }
  }

  @Test(
    "accesses the MSR and the port as often as the workload says",
    arguments: Combination.kernels, [MSR.specCtrl, .kernelGSBase])
  func accesses(combination: Combination, msr: MSR) throws {
    let image = try combination.image(msr: msr)
    let start: Label = combination.entry == .none ? "iteration" : "entry"
    // Of a workload with phases the code of both is there.
    var whole = image.workload.perIteration
    whole.outs += image.workload.otherPhase?.perIteration.outs ?? 0
    #expect(actions(in: try image.kernel.instructions(from: start, to: "done"), msr.rawValue) == whole)
    #expect(
      actions(in: try image.kernel.instructions(from: "reported", to: start), msr.rawValue) == image.workload.atBoot)
    let others = try image.kernel.instructions(from: start, to: "done").count { ["wrmsr", "rdmsr"].contains($0.name) }
    let built = image.workload.perIteration
    #expect(UInt64(others) == built.reads + built.writes, "no access of any other MSR on the way")
  }

  @Test("of a primitive is its baseline's and the instruction itself", arguments: Combination.primitives)
  func baselines(combination: Combination) throws {
    func loop(_ workload: Workload) throws -> [String] {
      try GuestImage(workload, entry: .none).kernel.instructions(from: "iteration", to: "done").map(\.mnemonic)
    }
    let workload = combination.made()
    let baseline = try #require(workload.baseline)
    #expect(baseline.isBaseline && baseline.baseline == nil)
    #expect(baseline.perIteration == Workload.Actions())
    let full = try loop(workload).filter { !$0.hasPrefix("jne") }
    var rest = full
    for line in try loop(baseline) where !line.hasPrefix("jne") {
      rest.remove(at: try #require(rest.firstIndex(of: line)))
    }
    let expected =
      switch workload.name.value {
      case .wrmsr: ["wrmsr"]
      case .rdmsr: ["rdmsr"]
      case .cpuid: ["cpuid"]
      case .out: ["out 0xf5, al"]
      case .outTwice: ["out 0xf5, al", "out 0xf5, al"]
      case .outInterrupted: ["out 0xf7, al"]
      case .mmio: ["mov dword ptr [0x100000], eax"]
      case .hlt: ["hlt"]
      default: Array(repeating: "inc r8d", count: workload.parameters[.instructions] ?? 0)
      }
    #expect(rest == expected)
  }

  @Test("writes IBRS 1, 0, 1 … as often as chosen, and exits while it is on", arguments: [0, 1, 2, 3, 8], [0, 1, 5])
  func ibrs(writes: Int, exits: Int) throws {
    let image = try GuestImage(.ibrs(writes: writes, exits: exits), entry: .none)
    let body = try image.kernel.instructions(from: "iteration", to: "done").map(\.mnemonic)
    let steps = body.filter { ["mov eax, 0x1", "mov eax, 0x0", "xor eax, eax", "out 0xf5, al"].contains($0) }
    let values = (0..<writes).map { $0.isMultiple(of: 2) ? "mov eax, 0x1" : "mov eax, 0x0" }
    let outs = Array(repeating: "out 0xf5, al", count: exits)
    #expect(steps == values.prefix(1) + outs + values.dropFirst())
  }

  @Test("makes its indirect branches in user mode, as many as chosen, before the entry", arguments: Entry.ringSwitching)
  func userBranches(entry: Entry) throws {
    for workload in [Workload.ibrs(userBranches: 250), .ibrsAll(userBranches: 250), .ibrsForced(userBranches: 250)] {
      let image = try GuestImage(workload, entry: entry)
      let user = try #require(image.user)
      let body = try user.instructions(from: "iteration", to: "resume").map(\.mnemonic)
      let register = entry == .sysenter ? "eax" : "rax"
      // Writing EAX clears the upper half of RAX: the address fits.
      #expect(body.first == "mov esi, 0xfa" && body[1] == "mov eax, landed")
      #expect(Array(body[2...4]).map { String($0.prefix(3)) } == ["jmp", "dec", "jne"] && body[2] == "jmp \(register)")
      #expect(body.count == 6)
      #expect(image.kernel.listing.allSatisfy { !$0.mnemonic.hasPrefix("jmp r") })
      #expect(try GuestImage(workload, entry: entry).workload.parameters[.userBranches] == 250)
    }
    #expect(throws: GuestImageError.self) { try GuestImage(.ibrs(userBranches: 1), entry: .none) }
  }

  @Test("that fakes IBRS_ALL writes IBRS = 1 at boot and at each entry, and never 0")
  func forced() throws {
    let kernel = try GuestImage(.ibrsForced(), entry: .syscall).kernel
    let entry = try kernel.instructions(from: "entry", to: "done").map(\.mnemonic)
    #expect(entry.count { $0 == "wrmsr" } == 1)
    #expect(entry.contains("mov eax, 0x1") && !entry.contains("mov eax, 0x0") && !entry.contains("xor eax, eax"))
  }

  @Test("that does not fit into the kernel's place is refused")
  func tooLong() {
    for workload in [Workload.ibrs(writes: 20_000), .delay(100_000)] {
      #expect {
        try GuestImage(workload, entry: .none)
      } throws: {
        guard case GuestImageError.tooLong("kernel") = $0 else { return false }
        return true
      }
    }
  }

  @Test("of the workload probe makes each access once in a pass, in the order of its steps")
  func probeSteps() throws {
    let kernel = try Combination(workload: .probe, entry: .none).image().kernel
    let accesses = kernel.listing.map(\.name).filter { ["rdmsr", "wrmsr"].contains($0) }
    #expect(accesses == ProbeStep.allCases.map { $0.written == nil ? "rdmsr" : "wrmsr" })
    #expect(
      kernel.listing.map(\.comment).filter { comment in ProbeStep.allCases.contains { "\($0)" == comment } }
        == ProbeStep.allCases.map { "\($0)" })
    #expect(ProbeStep.allCases.compactMap(\.written) == [1, 1 << 63, 0])
  }

  @Test("orders each time stamp with LFENCE on both sides", arguments: Combination.possible)
  func stamps(combination: Combination) throws {
    let image = try combination.image()
    let timed = image.user ?? image.kernel
    let names = timed.listing.filter { $0.kind == .instruction }.map(\.name)
    let stamps = names.indices.filter { names[$0] == "rdtsc" }
    #expect(stamps.count == 2)
    #expect(stamps.allSatisfy { names[$0 - 1] == "lfence" && names[$0 + 1] == "lfence" })
  }

  @Test("asks CPUID before it reads IA32_ARCH_CAPABILITIES", arguments: Combination.kernels)
  func asksFirst(combination: Combination) throws {
    let report = try combination.image().kernel.instructions(from: "boot", to: "reported").map(\.mnemonic)
    let read = try #require(report.firstIndex(of: "rdmsr"))
    #expect(report[read - 1] == "mov ecx, 0x10a")
    #expect(report[..<read].suffix(3).starts(with: ["bt esi, 0x1d", "jae reported"]))
    #expect(report.count { $0 == "rdmsr" } == 1)
  }

  @Test("that proves an entry stores the CS that its kernel runs under", arguments: Entry.allCases)
  func entryProof(entry: Entry) throws {
    let kernel = try GuestImage(.entryProof, entry: entry).kernel
    let body = try kernel.instructions(from: entry == .none ? "iteration" : "entry", to: "done").map(\.mnemonic)
    let stored = try #require(body.firstIndex(of: "mov eax, cs"))
    #expect(body[stored + 1] == "mov dword ptr [0x30018], eax")
  }

  @Test("by the entry isolated loads the kernel's CR3 and user mode's without a flush, and keeps every register")
  func isolated() throws {
    let image = try GuestImage(Workload(.bare), entry: .isolated)
    let lines = try image.kernel.instructions(from: "entry", to: "done").map(\.mnemonic)
    #expect(lines.first == "swapgs" && lines.suffix(2) == ["swapgs", "sysretq"])
    let writes = lines.indices.filter { lines[$0].hasPrefix("mov cr3, ") }
    #expect(writes.count == 2)
    for index in writes {
      let register = lines[index].dropFirst(9)
      #expect(lines[index - 3] == "mov \(register), cr3" && lines[index - 2] == "bts \(register), 0x3f")
    }
    #expect(lines[writes[0] - 1] == "and rsp, 0xffffffffffffe7ff" && lines[writes[1] - 1] == "or rdi, 0x1800")
    let pushed = lines.filter { $0.hasPrefix("push r") }.dropFirst(3).map { $0.dropFirst(5) }
    #expect(pushed.count == 15 && Set(pushed).count == 15 && !pushed.contains("rsp"))
    let popped = lines.filter { $0.hasPrefix("pop ") }.map { $0.dropFirst(4) }
    // RCX and RFLAGS, in R11, are SYSRET's; what was in their places goes nowhere.
    #expect(Set(pushed).subtracting(popped) == ["rcx", "r11"] && popped.suffix(2) == ["rdi", "rsp"])
  }

  @Test(
    "by the entry isolated leaves user mode without the kernel's stack and tables, by the table behind the kernel's")
  func isolatedTables() throws {
    let image = try GuestImage(Workload(.ibrs), entry: .isolated)
    let memory = try #require(LoadedMemory(image.contents))
    let (kernel, user) = (IsolatedEntry.kernelCR3, IsolatedEntry.userCR3 & ~0xfff)
    #expect(user == kernel + UInt64(Layout.pageSize) && kernel & 1 << 12 == 0)
    for page in stride(from: 0, to: UInt64(Layout.memorySize), by: Layout.pageSize) {
      #expect(memory.translate(page, by: kernel) == memory.translate(page))
      let isKept = (Layout.isolatedStackTop - UInt64(Layout.pageSize)..<Layout.userPML4 + 0x4000).contains(page)
      if isKept || page < Layout.gdt { #expect(memory.translate(page, by: user) == nil, "\(page.hex)") }
      if Layout.isUser(page) { #expect(memory.translate(page, by: user) == memory.translate(page), "\(page.hex)") }
    }
    for address in [Layout.tss, Layout.idt, Layout.kernelStackTop - 8, image.kernel.origin, Layout.entryWords] {
      #expect(memory.translate(address, by: user)?.isUser == false)
    }
    #expect(memory.word(at: Layout.entryWords + 8) == Layout.isolatedStackTop)
  }

  @Test(
    "that proves a register writes the value to the MSR, once, and nothing else",
    arguments: [.specCtrl, .predCmd, .kernelGSBase] as [MSR], [0, 1, 0x0007_0406_0007_0406, .max] as [UInt64])
  func registerProof(msr: MSR, value: UInt64) throws {
    let image = try GuestImage(.registerProof(of: msr, writing: value), entry: .none)
    try expectWhatObjdumpReads(of: image)
    let boot = Array(try image.kernel.instructions(from: "reported", to: "sample"))
    let high = UInt32(truncatingIfNeeded: value >> 32)
    let expected = [
      "mov ecx, \(msr.rawValue.hex)", "mov eax, \(UInt32(truncatingIfNeeded: value).hex)",
      high == 0 ? "xor edx, edx" : "mov edx, \(high.hex)", "wrmsr",
    ]
    #expect(Array(boot.prefix(4)).map(\.mnemonic) == expected)
    #expect(boot.count { $0.name == "wrmsr" } == 1 && boot[3].address == image.labels[.registerProof])
    #expect(Set(image.kernel.listing.filter { $0.kind == .instruction }.map(\.name)).subtracting(Self.ring0) == [])
  }

  @Test(
    "that shows what adaptive weighs is two loops: an OUT, and two writes before an OUT, the resting value last",
    arguments: [0, 1, 0x1234_5678_9abc_def0] as [UInt64])
  func adaptiveCosts(resting: UInt64) throws {
    let image = try GuestImage(.adaptiveCosts(of: .specCtrl, resting: resting), entry: .none)
    try expectWhatObjdumpReads(of: image)
    let outs = try image.kernel.instructions(from: .costOfOuts, to: .costOfWrites).map(\.mnemonic)
    #expect(outs == ["out 0xf5, al", "jmp costOfOuts"])
    let low = UInt32(truncatingIfNeeded: resting)
    let start = try #require(image.labels[.costOfWrites])
    let writes = image.kernel.listing.filter { $0.kind == .instruction && $0.address >= start }.prefix(8)
    #expect(
      writes.map(\.mnemonic) == [
        "mov ecx, 0x48", "mov edx, \(UInt32(truncatingIfNeeded: resting >> 32).hex)", "mov eax, \((low ^ 1).hex)",
        "wrmsr", "mov eax, \(low.hex)", "wrmsr", "out 0xf5, al", "jmp round",
      ])
    #expect(Set(image.kernel.listing.filter { $0.kind == .instruction }.map(\.name)).subtracting(Self.ring0) == [])
  }

  /// What instructions do to the MSR and to the port of the workload, taking the number from the last MOV to ECX.
  private func actions(in lines: ArraySlice<ListingLine>, _ msr: UInt32) -> Workload.Actions {
    var actions = Workload.Actions()
    var number = ""
    for line in lines {
      if line.mnemonic.hasPrefix("mov ecx, ") { number = String(line.mnemonic.dropFirst(9)) }
      let isSubject = number == msr.hex
      switch line.mnemonic {
      case "rdmsr" where isSubject: actions.reads += 1
      case "wrmsr" where isSubject: actions.writes += 1
      case "out 0xf5, al": actions.outs += 1
      case "out 0xf7, al":
        actions.outs += 1
        actions.interruptions += 1
      case "mov dword ptr [0x100000], eax": actions.stores += 1
      case "hlt": actions.halts += 1
      case "cpuid": actions.cpuids += 1
      default: break
      }
    }
    return actions
  }
}
