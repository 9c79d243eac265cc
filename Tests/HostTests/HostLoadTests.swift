// What went on beside a run: on the processor that measured, on its sibling, and around the thread; on made-up hosts
// and on this one.

import TestSupport
import Testing

@testable import Host

@Suite("Host load")
struct HostLoadTests {
  private static func tree(
    _ statistics: String, interrupts: String = "", status: String = "", siblings: String = "1,3\n"
  ) throws -> FixtureTree {
    try FixtureTree([
      "proc/loadavg": "0.50 0.20 0.10 1/200 4242\n", "proc/stat": statistics, "proc/interrupts": interrupts,
      "proc/thread-self/status": status, "sys/devices/system/cpu/cpu3/topology/thread_siblings_list": siblings,
      "sys/class/thermal/thermal_zone0/temp": "41500\n", "sys/class/thermal/thermal_zone1/temp": "39000\n",
    ])
  }

  @Test("is of the processor that is asked about, its sibling and the thread, not of the whole machine")
  func ofOneProcessor() throws {
    let before = try Self.tree(
      """
      cpu  900 0 0 9000 0 0 0 900 0 0
      cpu1 100 0 0 900 0 0 0 0 0 0
      cpu3 100 0 0 900 0 0 0 10 0 0
      cpu30 7 7 7 7 7 7 7 7 7 7
      intr 99999 1 2 3
      ctxt 88888
      """,
      interrupts: """
                   CPU0       CPU1       CPU3
          8:          1          2          3  IO-APIC   8-edge      rtc0
        LOC:        100        200        300   Local timer interrupts
        ERR:          7
        MIS:          7
        """, status: "Name:\tx\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n")
    let after = try Self.tree(
      """
      cpu  9000 0 0 90000 0 0 0 90000 0 0
      cpu1 125 0 0 950 25 0 0 0 0 0
      cpu3 140 0 0 900 0 0 10 60 40 0
      """,
      interrupts: """
                   CPU0       CPU1       CPU3
          8:       1000       2000          4  IO-APIC   8-edge      rtc0
        LOC:       1000       2000        341   Local timer interrupts
        ERR:          9
        MIS:          9
        """, status: "voluntary_ctxt_switches:\t8\nnonvoluntary_ctxt_switches:\t10\n")
    let (first, last) = (HostLoad(of: 3, files: before.files), HostLoad(of: 3, files: after.files))
    #expect(first.average == 0.5 && first.temperature == 41.5)
    let processor = try #require(first.processor)
    #expect(last.processor?.stolenShare(since: processor) == 0.5, "guest time is in user time")
    #expect(last.processor?.busyShare(since: processor) == 1)
    let sibling = try #require(last.busiestSibling(since: first))
    #expect(sibling.cpu == 1 && sibling.share == 0.25, "waiting for a device is idle")
    #expect(last.interrupts(since: first) == 42 && last.contextSwitches(since: first) == 7)
  }

  @Test("of no processor tells of none, and still of the thread")
  func noProcessor() throws {
    let tree = try Self.tree("cpu3 1 1 1 1 1 1 1 1", status: "voluntary_ctxt_switches:\t5\n")
    let load = HostLoad(of: nil, files: tree.files)
    #expect(load.processor == nil && load.siblings.isEmpty && load.interrupts == nil && load.contextSwitches == 5)
  }

  @Test("says nothing where the host says nothing")
  func empty() throws {
    let tree = try FixtureTree()
    let load = HostLoad(of: 0, files: tree.files)
    #expect(load == HostLoad(of: nil, files: tree.files) && load.average == nil && load.temperature == nil)
    #expect(load.contextSwitches == nil && load.interrupts(since: load) == nil)
    #expect(load.busiestSibling(since: load) == nil)
  }

  @Test(
    "of a line that is none of a processor's is unknown",
    arguments: [
      "", "cpu3", "cpu3 1 2 3", "cpu3 a b c d e f g h", "cpu3 1 2 3 4 5 6 7 -8", "cpu30 1 2 3 4 5 6 7 8",
      "cpu3 1 2 3 4 5 6 7 99999999999999999999",
    ])
  func strangeTime(text: String) { #expect(ProcessorTime(of: 3, in: text) == nil) }

  @Test("of counters at their ends, or that go back, is a share all the same or unknown")
  func strangeGrowth() throws {
    let most = UInt64.max
    let full = try #require(ProcessorTime(of: 0, in: "cpu0 \(most) \(most) \(most) \(most) 0 0 0 \(most)"))
    let none = try #require(ProcessorTime(of: 0, in: "cpu0 0 0 0 9 0 0 0 0"))
    for (first, last) in [(none, full), (full, none), (none, none)] {
      for share in [last.stolenShare(since: first), last.busyShare(since: first)] {
        #expect(share.map { (0...1).contains($0) } ?? (last.total <= first.total))
      }
    }
    #expect(none.busyShare(since: none) == nil)
  }

  @Test(
    "of interrupts without the processor's column is unknown, and a line without a number counts for nothing",
    arguments: [
      ("", nil), ("CPU0 CPU1\nLOC: 1 2", nil), ("CPU30\nLOC: 1", nil), ("CPU3", 0),
      ("CPU3\n\n:\nLOC:\nLOC: x\nRES: 4 5", 4),
      ("CPU3\nERR: 7\nMIS: 7\n", 0), ("CPU3\nLOC: \(UInt64.max)\nRES: 3\n", 2),
    ] as [(String, UInt64?)])
  func strangeInterrupts(text: String, sum: UInt64?) { #expect(HostLoad.interrupts(on: 3, in: text) == sum) }

  @Test("of this host grows while this thread works")
  func thisHost() throws {
    let before = HostLoad(of: 0)
    let processor = try #require(before.processor)
    let start = ContinuousClock.now
    // Some ticks of 1/100 s.
    while ContinuousClock.now - start < .milliseconds(60) {}
    let after = HostLoad(of: 0)
    let share = try #require(after.processor?.busyShare(since: processor))
    #expect((0...1).contains(share))
    #expect(after.interrupts(since: before) != nil && after.contextSwitches(since: before) != nil)
  }
}
