// What the VMM reads of a mailbox that the guest may have filled with anything.

import struct Measurement.SeededGenerator
import TestSupport
import Testing

@testable import GuestImages

@Suite("The mailbox")
struct MailboxTests {
  /// A page of zeros with these words in it.
  private func page(_ words: [Int: UInt64]) -> [UInt8] {
    var page = [UInt8](repeating: 0, count: Layout.pageSize)
    for (offset, word) in words {
      for index in 0..<8 { page[offset + index] = UInt8(truncatingIfNeeded: word >> UInt64(index * 8)) }
    }
    return page
  }

  @Test("that nobody has written says that the guest has not started")
  func empty() throws {
    let mailbox = try #require(Mailbox(page: page([:])))
    #expect(mailbox.state == .notStarted)
    #expect(mailbox.fault == nil && mailbox.kernelEntries == 0)
    #expect(mailbox.probeSteps.map(\.step) == ProbeStep.allCases)
    #expect(mailbox.probeSteps.allSatisfy { !$0.faulted && $0.value == 0 })
  }

  @Test("gives each field from its own place, cut to its width")
  func fields() throws {
    let steps = Mailbox.Offset.probeSteps
    let mailbox = try #require(
      Mailbox(
        page: page([
          Mailbox.Offset.state: 2, Mailbox.Offset.kernelEntries: .max, Mailbox.Offset.entryCS: 0xdead_0010,
          Mailbox.Offset.leaf7EDX: 0x1_0400_0000, Mailbox.Offset.leaf7Subleaf2EDX: 0x17,
          Mailbox.Offset.archCapabilities: 0xc00_e16d, Mailbox.Offset.amdLeafEBX: 0x4000,
          steps + 16: 0xffff_ffff, steps + 24: 1, steps + 6 * 16 + 8: 7,
        ])))
    #expect(mailbox.state == .done)
    #expect(mailbox.kernelEntries == .max)
    #expect(mailbox.entryCS == 0x10)
    #expect(mailbox.leaf7EDX == 0x0400_0000)
    #expect(mailbox.leaf7Subleaf2EDX == 0x17)
    #expect(mailbox.archCapabilities == 0xc00_e16d)
    #expect(mailbox.amdLeafEBX == 0x4000)
    #expect(mailbox.fault == nil, "words in the fault's place mean nothing without the state")
    #expect(mailbox.probeSteps[1] == ProbeStep.Outcome(step: .writeOne, faulted: true, value: 1))
    #expect(mailbox.probeSteps[6] == ProbeStep.Outcome(step: .readAtEnd, faulted: false, value: 7))
  }

  @Test("tells of a fault when its state says that there was one")
  func fault() throws {
    let mailbox = try #require(
      Mailbox(
        page: page([
          Mailbox.Offset.state: 3, Mailbox.Offset.faultVector: 14, Mailbox.Offset.faultErrorCode: 6,
          Mailbox.Offset.faultRIP: 0x2_0010, Mailbox.Offset.faultCS: 0x33, Mailbox.Offset.faultCR2: 0x20_0000,
        ])))
    #expect(
      mailbox.fault == GuestFault(vector: 14, errorCode: 6, rip: 0x2_0010, cs: 0x33, cr2: 0x20_0000))
  }

  @Test("that is short is none, at every length")
  func short() {
    for count in 0..<Layout.pageSize { #expect(Mailbox(page: Array(repeating: 0, count: count)) == nil) }
  }

  @Test("with a state that no guest writes is none", arguments: [4, 0xff, 1 << 32, 1 << 63, UInt64.max])
  func invalidState(state: UInt64) { #expect(Mailbox(page: page([Mailbox.Offset.state: state])) == nil) }

  @Test("of random bytes is read without a trap, and none unless the state is one")
  func random() throws {
    var generator = SeededGenerator(seed: 48)
    for state in 0..<200 as Range<UInt64> {
      var page = (0..<Layout.pageSize).map { _ in UInt8.random(in: 0...255, using: &generator) }
      #expect(Mailbox(page: page) == nil)
      page.replaceSubrange(0..<8, with: [UInt8(state & 3), 0, 0, 0, 0, 0, 0, 0])
      let mailbox = try #require(Mailbox(page: page))
      #expect(mailbox.state.rawValue == state & 3)
      #expect((mailbox.fault != nil) == (mailbox.state == .faulted))
      #expect(mailbox.fault?.description.isEmpty != true)
    }
  }

  @Test("keeps its fields apart, and inside its page")
  func layout() {
    let offsets = [
      Mailbox.Offset.state, Mailbox.Offset.samples, Mailbox.Offset.kernelEntries, Mailbox.Offset.entryCS,
      Mailbox.Offset.faultVector, Mailbox.Offset.faultErrorCode, Mailbox.Offset.faultRIP, Mailbox.Offset.faultCS,
      Mailbox.Offset.faultCR2, Mailbox.Offset.leaf7EDX, Mailbox.Offset.leaf7Subleaf2EDX,
      Mailbox.Offset.archCapabilities, Mailbox.Offset.amdLeafEBX,
    ]
    #expect(Set(offsets).count == offsets.count)
    #expect(offsets.allSatisfy { $0.isMultiple(of: 8) && $0 + 8 <= Mailbox.Offset.probeSteps })
    #expect(Mailbox.Offset.probeSteps + ProbeStep.allCases.count * 16 <= Layout.pageSize)
  }
}
