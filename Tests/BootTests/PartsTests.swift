// The parts of a booted guest that need no guest: what it is told, its own first process, its figures.

import Experiments
import GuestImages
import Hypervisor
import Images
import TestSupport
import Testing

@testable import Boot

@Suite("What a booted guest is told")
struct ToldTests {
  private var host: CPUIDModel {
    CPUIDModel([
      CPUIDEntry(function: 0, eax: 0x1f),
      CPUIDEntry(function: 1, ebx: 0x0b10_0800, edx: 1 << 28 | 1 << 4),
      CPUIDEntry(function: 4, index: 0, eax: 0xfc1f_c121),
      CPUIDEntry(function: 0xb, index: 0, eax: 1, ebx: 2, ecx: 0x100, edx: 11),
      CPUIDEntry(function: 0xb, index: 1, eax: 6, ebx: 48, ecx: 0x201, edx: 11),
      CPUIDEntry(function: 0xb, index: 2, edx: 11),
      CPUIDEntry(function: 0x8000_0008, eax: 0x3030, ebx: 1 << 12, ecx: 0x602f),
      CPUIDEntry(function: 0x8000_001e, eax: 11, ebx: 0x105, ecx: 1),
    ])
  }

  @Test("is a processor alone: its IDs are 0 and it shares nothing; what else it can do stays")
  func topology() {
    let model = host.ofOneProcessor(hasDeadlineTimer: true)
    #expect(model[1]?.ebx == 0x0001_0800 && model[1]?.edx == 1 << 4)
    #expect(model[4]?.eax == 0x0121)
    #expect(model[0xb, 0] == CPUIDEntry(function: 0xb, index: 0, eax: 0, ebx: 1, ecx: 0x100, edx: 0))
    #expect(model[0xb, 1] == CPUIDEntry(function: 0xb, index: 1, eax: 0, ebx: 1, ecx: 0x201, edx: 0))
    #expect(model[0xb, 2] == CPUIDEntry(function: 0xb, index: 2, ecx: 2))
    #expect(model[0x8000_0008] == CPUIDEntry(function: 0x8000_0008, eax: 0x3030, ebx: 1 << 12, ecx: 0))
    #expect(model[0x8000_001e] == CPUIDEntry(function: 0x8000_001e))
    #expect(model.has(.hypervisor) && model.has(.tscDeadlineTimer))
    #expect(!host.ofOneProcessor(hasDeadlineTimer: false).has(.tscDeadlineTimer))
  }

  @Test("lacks what is hidden, of CPUID and of IA32_ARCH_CAPABILITIES")
  func hidden() throws {
    var contract = GuestContract(cpuid: CPUIDModel(), archCapabilities: [.ibrsAll, .rdclNo])
    contract.cpuid.set(.specCtrl, to: true)
    try #require(HiddenBit("ibrs_all")).hide(in: &contract)
    #expect(contract.archCapabilities == .rdclNo && contract.cpuid.has(.specCtrl))
    try #require(HiddenBit("SPEC_CTRL")).hide(in: &contract)
    #expect(!contract.cpuid.has(.specCtrl))
    #expect(HiddenBit("IBRS_SOME") == nil)
    #expect(HiddenBit.names.allSatisfy { HiddenBit($0)?.name == $0 })
  }

  @Test("promises IBPB by SPEC_CTRL's bit, which is refused where the host has none")
  func barriers() {
    var told = GuestContract(cpuid: CPUIDModel(), archCapabilities: [])
    var offer = CPUIDModel()
    #expect(LinuxSupport.barrierRefusal(contract: told, offered: offer) == nil)
    told.cpuid.set(.specCtrl, to: true)
    #expect(LinuxSupport.barrierRefusal(contract: told, offered: offer)?.contains("--drop-pred-cmd") == true)
    offer.set(.amdIBPB, to: true)
    #expect(LinuxSupport.barrierRefusal(contract: told, offered: offer) == nil)
  }

  @Test("as a kernel's command line begins with what every guest needs and ends with the user's words")
  func commandLine() {
    let line = LinuxSupport.commandLine(tscKilohertz: 50_000, appending: "quiet mitigations=off")
    #expect(line.hasPrefix("console=ttyS0,115200 ") && line.hasSuffix(" quiet mitigations=off"))
    #expect(line.contains(" tsc_early_khz=50000 "))
    #expect(!LinuxSupport.commandLine(tscKilohertz: nil, appending: "").contains("tsc"))
  }
}

@Suite("The first process")
struct InitTests {
  @Test("is a static program that this reader takes as well")
  func elf() throws {
    let bytes = try InitProgram(repetitions: 2).elf()
    let image = try BootableImage(reading: bytes)
    #expect(image.format == .elf64 && image.parts.map(\.address) == [0x40_0000] && image.entry == 0x40_0078)
    #expect(image.parts.map(\.file) == [0..<bytes.count] && bytes.count < 4 * 4096)
  }

  @Test("tells figures: what a long sample takes more than a short one, and the writes between its marks")
  func figures() throws {
    let block = InitProgram.Block.systemCall
    let marks = [
      BootRecord.Mark(
        number: block.mark, time: .zero, counts: .init(writes: 10, exits: 20, kvmExits: 100, interrupts: 1)),
      BootRecord.Mark(
        number: block.mark + 1, time: .zero, counts: .init(writes: 250, exits: 271, kvmExits: 401, interrupts: 4)),
    ]
    var data: [UInt32] = [InitProgram.magic, block.rawValue, 2, UInt32(InitProgram.samples)]
    for sample in 0..<UInt32(InitProgram.samples) {
      // Short samples of 1000, long ones of 1800 cycles, over a carry into the upper word.
      data += [0xffff_ff00, sample, 0xffff_ff00 &+ 1000, sample + 1, 0, sample, 1800, sample]
    }
    let figure = try #require(KernelFigure.figures(in: data, marks).first)
    #expect(figure.work == .getppid && figure.median == 400 && figure.minimum == 400)
    #expect(figure.total == 240 && figure.writesPerRepetition == 1, "the marks' own exits left out")
    #expect(figure.counts == .init(writes: 240, exits: 250, kvmExits: 300, interrupts: 3))
    // A guest may write anything: what does not hold together is no figure, and ends nothing.
    for count in 0..<data.count { #expect(KernelFigure.figures(in: Array(data.prefix(count)), marks).isEmpty) }
    #expect(KernelFigure.figures(in: data, []).isEmpty)
    for index in 0..<4 {
      var damaged = data
      damaged[index] = .max
      #expect(index == 2 || KernelFigure.figures(in: damaged, marks).isEmpty)
    }
  }
}

@Suite("A kernel for a benchmark")
struct BenchKernelTests {
  @Test("is told a mitigation in its own words, between what all are told and what the user appends")
  func commandLine() throws {
    let kernel = BenchKernel(name: "vmlinuz", image: GuestFile([]), words: "a=b")
    #expect(kernel.commandLine(for: .auto) == "quiet a=b")
    #expect(kernel.commandLine(for: .retpoline) == "quiet spectre_v2=retpoline a=b")
    #expect(kernel.commandLine(for: .ibrs) == "quiet spectre_v2=ibrs spectre_bhi=off a=b")
  }
}

@Suite("A kernel for a benchmark on this host", .needsKVM, .bounded)
struct BenchKernelHereTests {
  @Test("is refused with the image's fault, or with what this host lacks, as `boot` refuses it")
  func refusals() throws {
    let kvm = try KVM()
    let other = try MadeImage.multiboot { $0.ud2() }
    do {
      _ = try BenchKernel.prove("other", GuestFile(other.bytes), appending: "", on: kvm)
      Issue.record("a multiboot image is no Linux kernel")
    } catch BootError.image(let name, let error) {
      #expect(name == "other" && "\(error)".contains("not a Linux kernel"))
    }
    let reason = try LinuxSupport.proveRefusal(on: kvm)
    do {
      _ = try BenchKernel.prove("made", GuestFile(MadeImage.bzImage().bytes), appending: "", on: kvm)
      #expect(reason == nil)
    } catch BootError.refused(let name, let said) { #expect(name == "made" && said == reason) }
  }

  @Test("and any other guest that is done goes on where it is let, and is done again")
  func goingOn() throws {
    let kvm = try KVM()
    let image = try MadeImage.multiboot { asm in
      asm.bind("again")
      asm.mov(.edx, 0x5e0)
      asm.mov(.eax, 7)
      asm.out(.dx, .eax)
      asm.mov(.edx, 0x5e4)
      asm.out(.dx, .al)
      asm.jmp("again")
    }
    let order = BootOrder(name: "made", policy: .emulate, memory: 32 << 20)
    let guest = try order.prepare(
      GuestFile(image.bytes), initrd: nil, line: KeptLine(), on: kvm, terms: .prove(.specCtrl, on: kvm))
    for round in 1...3 as ClosedRange<UInt64> {
      let record = try guest.run(control: RunControl(timeLimit: .seconds(10)))
      guard case .done = record.end else { throw ImageError("\(record.end)") }
      #expect(record.marks.map(\.number) == [7] && record.counters[.portOut] == 2 * round)
      #expect(record.marks.first?.counts.exits == 0)
    }
  }
}
