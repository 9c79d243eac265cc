// The parts of a booted guest that need no guest: what it is told, its own first process, its figures.

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
    #expect(LinuxSupport.barrierRefusal(told: told, offered: offer) == nil)
    told.cpuid.set(.specCtrl, to: true)
    #expect(LinuxSupport.barrierRefusal(told: told, offered: offer)?.contains("--drop-pred-cmd") == true)
    offer.set(.amdIBPB, to: true)
    #expect(LinuxSupport.barrierRefusal(told: told, offered: offer) == nil)
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
      BootRecord.Mark(number: block.mark, time: .zero, writes: 10, exits: 0, kvmExits: 100),
      BootRecord.Mark(number: block.mark + 1, time: .zero, writes: 250, exits: 0, kvmExits: 400),
    ]
    var data: [UInt32] = [InitProgram.magic, block.rawValue, 2, UInt32(InitProgram.samples)]
    for sample in 0..<UInt32(InitProgram.samples) {
      // Short samples of 1000, long ones of 1800 cycles, over a carry into the upper word.
      data += [0xffff_ff00, sample, 0xffff_ff00 &+ 1000, sample + 1, 0, sample, 1800, sample]
    }
    let figure = try #require(KernelFigure.figures(in: data, marks).first)
    #expect(figure.name == "getppid" && figure.median == 400 && figure.minimum == 400)
    #expect(figure.total == 240 && figure.writes == 240 && figure.writesPerRepetition == 1 && figure.kvmExits == 300)
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
