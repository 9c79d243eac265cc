// The sample records, and the orders that the VMM writes into them.

import Testing

@testable import GuestImages

@Suite("The sample records")
struct SampleRecordTests {
  @Test("hold the VMM's orders: the number of samples in the mailbox, the iterations in each record")
  func orders() {
    #expect(
      GuestImage.sampleRecords([3, .max])
        == [
          MemoryImage(address: Layout.mailbox + UInt64(Mailbox.Offset.samples), bytes: [2, 0, 0, 0, 0, 0, 0, 0]),
          MemoryImage(
            address: Layout.samples,
            bytes: [3] + Array(repeating: 0, count: 23) + [0xff, 0xff, 0xff, 0xff] + Array(repeating: 0, count: 20)),
        ])
  }

  @Test("read back as ordered, with no time taken yet")
  func roundTrip() throws {
    let orders: [UInt32] = [1, 2, 0x8000_0000]
    let records = SampleRecord.records(in: GuestImage.sampleRecords(orders)[1].bytes)
    #expect(records == orders.map { SampleRecord(iterations: $0, start: 0, end: 0) })
  }

  @Test("are read whole: what is left over is no record")
  func partial() {
    for count in 0..<SampleRecord.size { #expect(SampleRecord.records(in: Array(repeating: 1, count: count)).isEmpty) }
    #expect(SampleRecord.records(in: Array(repeating: 1, count: 2 * SampleRecord.size + 7)).count == 2)
  }

  @Test("give the ticks between their stamps, also across a wrap of the counter")
  func ticks() {
    #expect(SampleRecord(iterations: 1, start: 100, end: 350).ticks == 250)
    #expect(SampleRecord(iterations: 1, start: .max, end: 9).ticks == 10)
  }

  @Test("are complete when both halves of both stamps are stored")
  func complete() {
    func record(_ start: UInt64, _ end: UInt64) -> SampleRecord { SampleRecord(iterations: 1, start: start, end: end) }
    #expect(record(0x7_0000_0100, 0x7_0000_0200).isComplete)
    #expect(record(0x7_ffff_ffff, 0x8_0000_0000).isComplete)
    #expect(!record(0, 0).isComplete)
    #expect(!record(0x7_0000_0100, 0).isComplete)
    #expect(!record(0x7_0000_0100, 0x200).isComplete, "stopped between the halves of the second stamp")
  }

  @Test("have room for as many as are allowed, to the end of memory")
  func room() throws {
    let most = GuestImage.sampleRecords(Array(repeating: 1, count: SampleRecord.maximumCount))
    #expect(LoadedMemory(most) != nil)
    #expect(LoadedMemory(GuestImage.sampleRecords(Array(repeating: 1, count: SampleRecord.maximumCount + 1))) == nil)
  }
}
