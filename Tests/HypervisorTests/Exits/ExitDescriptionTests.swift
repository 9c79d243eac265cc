// An exit in words, as the error of an unanswered one shows it.

import Testing

@testable import Hypervisor

@Suite("An exit")
struct ExitDescriptionTests {
  @Test("is a phrase that says what the guest did, where, and with which value")
  func phrases() {
    let expected: [(Exit, String)] = [
      (.halt, "HLT"),
      (.portOut(PortAccess(port: 0xf4, size: 1, count: 1, dataOffset: 0)), "OUT of 1 byte to port 0xf4"),
      (.portOut(PortAccess(port: 0x3f8, size: 2, count: 3, dataOffset: 0)), "OUT of 3 times 2 bytes to port 0x3f8"),
      (.portIn(PortAccess(port: 0xffff, size: 4, count: 1, dataOffset: 0)), "IN of 4 bytes from port 0xffff"),
      (
        .mmioWrite(MMIOAccess(address: 0xa0000, length: 4, value: 0xbeef)),
        "a store of 0xbeef, 4 bytes, to guest-physical address 0xa0000, which has no memory"
      ),
      (
        .mmioRead(MMIOAccess(address: 0xa0000, length: 1, value: 0)),
        "a load of 1 byte from guest-physical address 0xa0000, which has no memory"
      ),
      (.readMSR(MSRAccess(msr: .specCtrl, reason: .filter, value: 0)), "RDMSR of IA32_SPEC_CTRL (0x48), FILTER"),
      (
        .writeMSR(MSRAccess(msr: MSR(0x1234), reason: [.invalid, .unknown], value: 7)),
        "WRMSR of 0x7 to 0x1234 (0x1234), INVAL|UNKNOWN"
      ),
      (.interrupted, "a signal"),
      (.other(.shutdown), "KVM_EXIT_SHUTDOWN"),
      (.other(ExitReason(rawValue: 999)), "exit reason 999"),
    ]
    for (exit, text) in expected { #expect("\(exit)" == text) }
  }

  @Test("for an MSR keeps the reasons that KVM may add one day")
  func newReasons() {
    #expect("\(MSRExitReasons(rawValue: 1 << 9 | MSRExitReasons.filter.rawValue))" == "FILTER|0x200")
    #expect("\(MSRExitReasons())" == "no reason given")
  }
}
