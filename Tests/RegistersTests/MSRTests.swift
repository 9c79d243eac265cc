// MSR numbers and their names: what a person may type, and what they see.

import Registers
import Testing

@Suite("MSR")
struct MSRTests {
  @Test(
    "is read from a name in any case, with or without a prefix, and from a number",
    arguments: [
      "SPEC_CTRL", "spec_ctrl", "IA32_SPEC_CTRL", "ia32_spec_ctrl", "MSR_IA32_SPEC_CTRL", "0x48", "0X48", "72",
    ])
  func parses(text: String) {
    #expect(MSR(parsing: text) == .specCtrl)
  }

  @Test(
    "is not read from what names no register",
    arguments: [
      "", "IA32_", "NO_SUCH_MSR", "0x", "0x100000000", "4294967296", "-1", "+72", "0x+48", " 72", "72 ", "48h", "½",
      "٤",
    ])
  func refuses(text: String) {
    #expect(MSR(parsing: text) == nil)
  }

  @Test("shows its name where there is one, and its number where there is none")
  func describes() {
    #expect(MSR.specCtrl.description == "IA32_SPEC_CTRL")
    #expect(MSR.specCtrl.hex == "0x48")
    #expect(MSR(0x1234).description == "0x1234")
    #expect(MSR(0x1234).name == nil)
    #expect(MSR.kernelGSBase.hex == "0xc0000102")
  }

  @Test("has one name for each number and one number for each name")
  func namesAreUnique() {
    #expect(Set(MSR.names.map(\.msr)).count == MSR.names.count)
    #expect(Set(MSR.names.map(\.name)).count == MSR.names.count)
    for (msr, name) in MSR.names {
      #expect(MSR(parsing: name) == msr)
      #expect(msr.description == name)
    }
  }

  @Test("names the local APIC's registers in x2APIC mode")
  func x2APIC() {
    #expect(MSR(0x830).description == "IA32_X2APIC_ICR")
    #expect(MSR(0x817).description == "IA32_X2APIC_ISR7")
    #expect(MSR(parsing: "x2apic_irr0") == MSR(0x820))
    #expect(MSR.x2APIC.contains(MSR(0x8ff)))
    #expect(!MSR.x2APIC.contains(MSR(0x900)))
  }

  @Test("stands at the number that the manual gives")
  func numbers() {
    let manual: [(MSR, UInt32)] = [
      (.timeStampCounter, 0x10), (.apicBase, 0x1b), (.tscAdjust, 0x3b), (.specCtrl, 0x48),
      (.predCmd, 0x49), (.smmMonitorControl, 0x9b), (.smBase, 0x9e), (.archCapabilities, 0x10a), (.flushCmd, 0x10b),
      (.sysenterCS, 0x174), (.sysenterESP, 0x175), (.sysenterEIP, 0x176), (.efer, 0xc000_0080), (.star, 0xc000_0081),
      (.lstar, 0xc000_0082), (.fmask, 0xc000_0084), (.fsBase, 0xc000_0100),
      (.gsBase, 0xc000_0101), (.kernelGSBase, 0xc000_0102), (.deCfg, 0xc001_1029),
    ]
    for (msr, number) in manual { #expect(msr.rawValue == number) }
  }
}
