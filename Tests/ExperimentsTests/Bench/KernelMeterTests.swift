// A kernel's cells, round by round: a guest that tells what it is told to tell stands for the kernel.

import Hypervisor
import Measurement
import Synchronization
import TestSupport
import Testing

@testable import Experiments

@Suite("A kernel's counts")
struct KernelFigureTests {
  /// 240 system calls with these counts.
  private func figure(
    _ work: KernelWork = .getppid, writes: UInt64, interrupts: UInt64? = 0, exits: UInt64 = 0, kvmExits: UInt64? = nil
  ) -> KernelFigure {
    KernelFigure(
      work, repetitions: 2, short: [UInt64](repeating: 1000, count: 40), long: [UInt64](repeating: 1800, count: 40),
      counts: .init(writes: writes, exits: exits, kvmExits: kvmExits, interrupts: interrupts))
  }

  @Test("are exact where no interrupt came: two writes for each entry")
  func exact() {
    #expect(figure(writes: 480).contradiction(under: .ibrs, .always) == nil)
    // The other process waits in its next call, or has yet to make it.
    for writes in [1918, 1920, 1922] as [UInt64] {
      #expect(figure(.pipe, writes: writes).contradiction(under: .ibrs, .always) == nil)
    }
    for writes in [1917, 1923] as [UInt64] {
      #expect(figure(.pipe, writes: writes).contradiction(under: .ibrs, .always) != nil)
    }
    #expect(figure(.pipe, writes: 1).contradiction(under: .retpoline, .always) != nil)
    for writes in [0, 479, 481, 482] as [UInt64] {
      let sentence = figure(writes: writes).contradiction(under: .ibrs, .always)
      #expect(sentence?.hasPrefix("\(writes) writes of the MSR reached the VMM in 240 times getppid") == true)
    }
    for mitigation in [KernelMitigation.retpoline, .eibrs, .off] {
      #expect(figure(writes: 0).contradiction(under: mitigation, .always) == nil)
      #expect(figure(writes: 1).contradiction(under: mitigation, .always) != nil)
    }
  }

  @Test("may have two writes more for each interrupt, and not three")
  func interrupted() {
    #expect(figure(writes: 486, interrupts: 3).contradiction(under: .ibrs, .always) == nil)
    #expect(
      figure(writes: 487, interrupts: 3).contradiction(under: .ibrs, .always)?.contains("each of 3 inter") == true)
    #expect(figure(writes: 479, interrupts: 3).contradiction(under: .ibrs, .always) != nil)
    #expect(figure(writes: .max, interrupts: .max).contradiction(under: .ibrs, .always) == nil)
  }

  @Test("are bounded by KVM's own exits where it does not count interrupts, and by nothing where it counts neither")
  func uncounted() {
    let bounded = figure(writes: 484, interrupts: nil, exits: 490, kvmExits: 492)
    #expect(bounded.contradiction(under: .ibrs, .always) == nil)
    let tooMany = figure(writes: 486, interrupts: nil, exits: 490, kvmExits: 492)
    #expect(tooMany.contradiction(under: .ibrs, .always) != nil)
    #expect(figure(writes: 9999, interrupts: nil).contradiction(under: .ibrs, .always) == nil)
    #expect(figure(writes: 480, exits: 480, kvmExits: 479).contradiction(under: .ibrs, .always) != nil)
  }

  @Test("are none where the policy intercepts nothing, and at most all where it does so at times")
  func policies() {
    #expect(figure(writes: 0).contradiction(under: .ibrs, .never) == nil)
    #expect(figure(writes: 1).contradiction(under: .ibrs, .never) != nil)
    #expect(figure(writes: 20).contradiction(under: .ibrs, .atTimes) == nil)
    #expect(figure(writes: 481).contradiction(under: .ibrs, .atTimes) != nil)
  }

  @Test("say nothing of a kernel that does not say what it does")
  func untold() { #expect(figure(writes: 77).contradiction(under: nil, .always) == nil) }

  @Test("and samples: what a long one takes more than a short one, for each repetition")
  func costs() {
    let figure = figure(writes: 480)
    #expect(figure.costs == [Double](repeating: 400, count: 40) && figure.median == 400 && figure.total == 240)
  }
}

@Suite("A kernel's cells", .needsKVM)
struct KernelMeterTests {
  private static func figures(writes: UInt64) -> [KernelFigure] {
    KernelWork.allCases.map {
      KernelFigure(
        $0, repetitions: 2, short: [UInt64](repeating: 100, count: 40), long: [UInt64](repeating: 180, count: 40),
        counts: .init(writes: writes * UInt64($0.entries), exits: writes, kvmExits: writes + 1, interrupts: 0))
    }
  }

  private static func round(_ says: String, writes: UInt64 = 480, stopped: RunControl.Stop? = nil) -> KernelRound {
    KernelRound(
      stopped: stopped, says: says, figures: stopped == nil ? figures(writes: writes) : [], interception: .always,
      signals: 0)
  }

  /// A meter of a kernel that tells these rounds, the first of them when it has booted.
  private func meter(_ rounds: [KernelRound], told mitigation: KernelMitigation = .ibrs) throws -> KernelMeter {
    let order = KernelOrder([mitigation]) { _, _, _, _ in
      let next = Mutex(0)
      return KernelGuest { _ in
        let index = next.withLock { count in
          count += 1
          return count - 1
        }
        guard index < rounds.count else { throw ExperimentError.kernelEnded("it has nothing more to tell") }
        // Its samples last longer than nothing.
        let began = ContinuousClock.now
        while ContinuousClock.now - began < .milliseconds(5) {}
        return rounds[index]
      }
    }
    let terms = try Terms.prove(.specCtrl, on: KVM())
    return KernelMeter(
      PlannedKernel(policy: .emulate, mitigation: mitigation, terms: terms, refusal: nil, order: order))
  }

  private func measured(
    _ rounds: [KernelRound], told mitigation: KernelMitigation = .ibrs, times: Int
  ) throws -> [CellRecord] {
    var meter = try meter(rounds, told: mitigation)
    for _ in 0..<times { meter.round(on: try KVM(), control: Bench.makeControl()) }
    return meter.records
  }

  private static let ibrs = "Mitigation: IBRS; IBPB: conditional"

  @Test("are one for each work that enters it; what it measured when it had booted is no round")
  func rounds() throws {
    let limit = Self.round(Self.ibrs, stopped: .timeLimit)
    let cells = try measured(
      [limit, limit, Self.round(Self.ibrs), Self.round(Self.ibrs), Self.round(Self.ibrs)], times: 2)
    #expect(
      cells.map(\.id) == ["linux/getppid/emulate/ibrs", "linux/page-fault/emulate/ibrs", "linux/pipe/emulate/ibrs"])
    for cell in cells {
      #expect(cell.isMeasured && cell.rounds == [[Double]](repeating: [Double](repeating: 40, count: 40), count: 2))
      #expect(cell.kernel?.says == Self.ibrs && cell.kernel?.hasTaken == true && cell.place == .vmm)
      #expect(cell.iterationsPerSample == 2 && cell.vmmExitsPerEntry == 2 && cell.baselineUse == .divide)
      #expect(cell.kernel?.iterations == 480 && cell.kernel?.interrupts == 0 && cell.disturbance != nil)
    }
    #expect(cells.map(\.writesPerEntry) == [2, 2, 8] && cells.map(\.kernel?.writes) == [960, 960, 3840])
  }

  @Test("are void from the round on whose counts contradict what the kernel says")
  func void() throws {
    let cells = try measured(
      [Self.round(Self.ibrs), Self.round(Self.ibrs), Self.round(Self.ibrs, writes: 482), Self.round(Self.ibrs)],
      times: 3)
    for cell in cells {
      #expect(cell.status == .void && cell.rounds.count == 1 && cell.reason?.contains("of itself") == true)
    }
  }

  @Test("tell what the kernel says where it was told otherwise, and are counted by that")
  func deviating() throws {
    let says = "Mitigation: Retpolines; BHI: Retpoline"
    let cells = try measured([Self.round(says, writes: 0), Self.round(says, writes: 0)], times: 1)
    for cell in cells {
      #expect(cell.isMeasured && cell.kernel?.taken == .known(.retpoline) && cell.kernel?.hasTaken == false)
      #expect(cell.writesPerEntry == 0 && cell.place == .none)
    }
  }

  @Test("fail with the reason where the kernel ends, or tells too little")
  func failing() throws {
    for cell in try measured([Self.round(Self.ibrs)], times: 2) {
      #expect(cell.status == .failed && cell.reason?.contains("nothing more to tell") == true)
    }
    var short = Self.round(Self.ibrs)
    short.figures.removeLast()
    let cells = try measured([Self.round(Self.ibrs), short], times: 1)
    #expect(cells.map(\.status) == [.measured, .measured, .failed])
  }

  @Test("are not possible here where the host refuses the kernel, with the reason")
  func refused() throws {
    let order = KernelOrder([.auto]) { _, _, _, _ in throw ExperimentError.kernelRefused("no such host") }
    let terms = try Terms.prove(.specCtrl, on: KVM())
    var meter = KernelMeter(
      PlannedKernel(policy: .emulate, mitigation: .auto, terms: terms, refusal: nil, order: order))
    meter.round(on: try KVM(), control: Bench.makeControl())
    for cell in meter.records { #expect(cell.status == .unsupported && cell.reason == "no such host") }
  }

  @Test("whose samples last longer than the host's clock went on are void")
  func clock() throws {
    var long = Self.round(Self.ibrs)
    long.figures = long.figures.map {
      KernelFigure($0.work, repetitions: 2, short: $0.short, long: $0.long.map { _ in 1 << 60 }, counts: $0.counts)
    }
    for cell in try measured([Self.round(Self.ibrs), long], times: 1) { #expect(cell.status == .void) }
  }
}
