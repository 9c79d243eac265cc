// SPEC_CTRL and ARCH_CAPABILITIES as text, and which SPEC_CTRL bits a CPU model lets software write.

import Registers
import Testing

@Suite("Named register bits")
struct NamedBitsTests {
  @Test("are shown by name, lowest first, and 0 when there are none")
  func describes() {
    #expect(SpecCtrl([.ssbd, .ibrs]).description == "IBRS|SSBD")
    #expect(SpecCtrl([]).description == "0")
    #expect(ArchCapabilities([.ibrsAll, .rdclNo]).description == "RDCL_NO|IBRS_ALL")
    #expect(ArchCapabilities.itsNo.rawValue == 1 << 62)
  }

  @Test("show bits without a name as a number, so that nothing is hidden")
  func unnamed() {
    #expect(SpecCtrl(rawValue: 1 << 9 | 1).description == "IBRS|0x200")
    #expect(SpecCtrl(rawValue: 1 << 9).names.isEmpty)
    #expect(SpecCtrl(rawValue: .max).unnamed == ~0x5ff)
  }

  @Test("are read back from what they are shown as", arguments: [0, 1, 5, 0x5ff, 0x200, .max] as [UInt64])
  func roundTrip(value: UInt64) {
    #expect(SpecCtrl(parsing: SpecCtrl(rawValue: value).description)?.rawValue == value)
    #expect(ArchCapabilities(parsing: ArchCapabilities(rawValue: value).description)?.rawValue == value)
  }

  @Test("are not read from an unknown name or from nothing", arguments: ["", "IBRS|", "IBPB", "0x1ffffffffffffffff"])
  func refuses(text: String) {
    #expect(SpecCtrl(parsing: text) == nil)
  }

  @Test("have unique names at unique positions")
  func unique() {
    #expect(Set(SpecCtrl.bitNames.map(\.bit)).count == SpecCtrl.bitNames.count)
    #expect(Set(ArchCapabilities.bitNames.map(\.bit)).count == ArchCapabilities.bitNames.count)
    #expect(Set(ArchCapabilities.bitNames.map(\.name)).count == ArchCapabilities.bitNames.count)
  }

  @Test("decode the values seen on the development hosts")
  func seenOnHosts() {
    let intelLab = ArchCapabilities(rawValue: 0x800_005f)
    #expect(intelLab.contains([.rdclNo, .ibrsAll, .rsba, .skipL1DFlushOnEntry, .ssbNo, .ifPschangeMCNo, .rfdsNo]))
    #expect(intelLab.unnamed == 0)
    #expect(!ArchCapabilities(rawValue: 0xc00_e16d).contains(.ibrsAll))
  }
}

@Suite("Writable bits of SPEC_CTRL")
struct SpecCtrlWritableTests {
  private func model(_ features: CPUFeature...) -> CPUIDModel {
    var model = CPUIDModel()
    for feature in features { model.set(feature, to: true) }
    return model
  }

  @Test("are none, and the register is absent, on a CPU that offers none of its features")
  func absent() {
    #expect(SpecCtrl.writable(on: CPUIDModel()).isEmpty)
    #expect(!SpecCtrl.exists(on: model(.syscall, .amdIBPB, .virtSSBD, .archCapabilities)))
    #expect(SpecCtrl.ibrs.reserved(on: CPUIDModel()) == .ibrs)
  }

  @Test("include STIBP wherever IBRS is offered, because such CPUs do not fault on it")
  func stibpComesWithIBRS() {
    #expect(SpecCtrl.writable(on: model(.specCtrl)) == [.ibrs, .stibp])
    #expect(SpecCtrl.writable(on: model(.amdIBRS)) == [.ibrs, .stibp])
    #expect(SpecCtrl.writable(on: model(.amdSTIBP)) == .stibp)
  }

  @Test("follow each CPUID feature, Intel's and AMD's")
  func eachFeature() {
    let expected: [(CPUFeature, SpecCtrl)] = [
      (.stibp, .stibp), (.ssbd, .ssbd), (.psfd, .psfd), (.ipredCtrl, [.ipredDisU, .ipredDisS]),
      (.rrsbaCtrl, [.rrsbaDisU, .rrsbaDisS]), (.ddpdU, .ddpdU), (.bhiCtrl, .bhiDisS), (.amdSSBD, .ssbd),
      (.amdPSFD, .psfd),
    ]
    for (feature, bits) in expected {
      #expect(SpecCtrl.writable(on: model(feature)) == bits, "\(feature)")
      #expect(SpecCtrl.exists(on: model(feature)))
    }
  }

  @Test("may be offered by CPUID without KVM giving the register to the guest")
  func kvmIsNarrower() {
    for feature in [CPUFeature.specCtrl, .amdIBRS, .amdSTIBP, .amdSSBD] {
      #expect(SpecCtrl.isGivenByKVM(to: model(feature)), "\(feature)")
    }
    // As a cloud host passed it through: STIBP_ALWAYS_ON and PSFD without the register.
    let halfOffered = model(.amdSTIBPAlwaysOn, .amdPSFD)
    #expect(SpecCtrl.exists(on: halfOffered))
    #expect(!SpecCtrl.isGivenByKVM(to: halfOffered))
    #expect(!SpecCtrl.isGivenByKVM(to: model(.ssbd)))
  }

  @Test("leave the rest of a value reserved")
  func reserved() {
    let old = model(.specCtrl, .ssbd)
    #expect(SpecCtrl([.ibrs, .bhiDisS]).reserved(on: old) == .bhiDisS)
    #expect(SpecCtrl(rawValue: 1 << 63).reserved(on: old).rawValue == 1 << 63)
    #expect(SpecCtrl([.ibrs, .stibp, .ssbd]).reserved(on: old).isEmpty)
  }
}
