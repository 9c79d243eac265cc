// What a clock counts, by samples of a loop of three instructions a turn, on clocks that are made up.

import Hypervisor
import TestSupport
import Testing

@testable import Experiments
@testable import GuestImages

@Suite("A clock counts")
struct ClockNatureTests {
  /// The samples of a guest that takes its stamps from `clock`, which is told how many instructions have passed.
  private func samples(_ clock: (_ instructions: Int) -> UInt64) -> [SampleRecord] {
    var instructions = 1000
    return ClockNature.iterationsPerSample.map { turns in
      let start = clock(instructions)
      // The way into the loop and out of it, and the two readings.
      instructions += 3 * Int(turns) + 5
      defer { instructions += 11 }
      return SampleRecord(iterations: turns, start: start, end: clock(instructions))
    }
  }

  @Test("instructions, where each turn of the loop is three of them")
  func instructions() { #expect(ClockNature(of: samples { UInt64($0) }) == .instructions(fixedCost: 5)) }

  @Test("instructions all the same where an interrupt and a cold start are in some samples")
  func interrupted() {
    var records = samples { UInt64($0) }
    for index in [0, 14] {
      records[index] = SampleRecord(
        iterations: records[index].iterations, start: records[index].start, end: records[index].end + 3000)
    }
    #expect(ClockNature(of: records) == .instructions(fixedCost: 5))
  }

  @Test("time, where turns do not take the same twice")
  func time() {
    var generator = SystemRandomNumberGenerator()
    var now: UInt64 = 0
    let records = ClockNature.iterationsPerSample.map { turns in
      now += UInt64(turns) * 2 + UInt64.random(in: 20...90, using: &generator)
      return SampleRecord(iterations: turns, start: 0, end: now)
    }
    #expect(ClockNature(of: records) == .time)
    #expect(ClockNature(of: []) == .time)
  }

  @Test("neither, where it is read where a block of code begins: each turn of the loop is one block")
  func blocks() {
    // An emulator's clock that rises by one with each block that it executes.
    let records = ClockNature.iterationsPerSample.map {
      SampleRecord(iterations: $0, start: 100, end: 103 + UInt64($0))
    }
    guard case .neither(let reason) = ClockNature(of: records) else {
      Issue.record("believed")
      return
    }
    #expect(reason.contains("each turn of a loop of three instructions takes exactly 1 tick"))
    #expect(Sampling(hertz: 1e9, of: ClockNature(of: records)).doubt == reason)
  }

  @Test("neither, where it is brought up to date only now and then")
  func coarse() {
    guard case .neither(let reason) = ClockNature(of: samples { UInt64($0 / 20_000 * 20_000) }) else {
      Issue.record("believed")
      return
    }
    #expect(reason.contains("stands still"))
  }

  @Test("time, on this host", .needsKVM)
  func here() throws {
    // An emulator that counts instructions is a host of its own: the lab's tests ask there.
    for _ in 0..<20 {
      let sampling = try Sampling(on: try KVM(), hertz: 1e9)
      #expect(!sampling.countsInstructions && sampling.doubt == nil)
    }
  }
}
