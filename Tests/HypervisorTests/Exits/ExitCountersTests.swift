// The VMM's own count of exits, also under a guest that means to fill the host's memory with it.

import Testing

@testable import Hypervisor

@Suite("Exit counters")
struct ExitCountersTests {
  @Test("count exits of other reasons by reason, and leave interruptions out of the total")
  func reasons() {
    var counters = ExitCounters()
    #expect(counters.byKind.isEmpty && counters.total == 0)
    for reason in [ExitReason.shutdown, .hyperV, .hyperV, ExitReason(rawValue: .max)] { counters.countOther(reason) }
    for _ in 0..<3 { counters.countInterruption() }
    #expect(counters.byKind == [.other(.shutdown): 1, .other(.hyperV): 2, .other(ExitReason(rawValue: .max)): 1])
    #expect(counters[.other(.hyperV)] == 2 && counters[.halt] == 0)
    #expect(counters.total == 4)
    #expect(counters.interruptions == 3)
  }

  @Test("tell reads from writes, of the subject as of any other MSR", arguments: [MSR.specCtrl, .kernelGSBase])
  func msrs(subject: MSR) {
    var counters = ExitCounters(subject: subject)
    #expect(counters.byMSR.isEmpty)
    counters.countRead(of: .specCtrl, subject: counters.subject)
    counters.countWrite(of: .kernelGSBase, subject: counters.subject)
    counters.countWrite(of: .kernelGSBase, subject: counters.subject)
    #expect(counters.byMSR[.specCtrl]?.reads == 1 && counters.byMSR[.specCtrl]?.writes == 0)
    #expect(counters.byMSR[.kernelGSBase]?.reads == 0 && counters.byMSR[.kernelGSBase]?.writes == 2)
    #expect(counters.byMSR.count == 2)
    #expect(counters.byKind == [.readMSR: 1, .writeMSR: 2])
  }

  @Test("of a guest that tries every MSR stay bounded and say what they left out")
  func hostileGuest() {
    var counters = ExitCounters()
    for number in 0x1_0000..<0x1_2000 as Range<UInt32> {
      counters.countRead(of: MSR(number), subject: counters.subject)
      counters.countWrite(of: MSR(number), subject: counters.subject)
    }
    #expect(counters.byMSR.count == 1024)
    #expect(counters.untabledMSRCount.reads == 0x2000 - 1024)
    #expect(counters.untabledMSRCount.writes == 0x2000 - 1024)
    #expect(counters.byKind == [.readMSR: 0x2000, .writeMSR: 0x2000], "no exit is lost from the total")
    // Those that have a place keep it, and the subject always has one.
    counters.countWrite(of: MSR(0x1_0000), subject: counters.subject)
    counters.countWrite(of: .specCtrl, subject: counters.subject)
    #expect(counters.byMSR[MSR(0x1_0000)]?.writes == 2)
    #expect(counters.byMSR[.specCtrl]?.writes == 1)
  }
}
