// Guests that are not Spectrap's, by the library: a workload with code of the embedder's, and an image from anywhere.
// Both are held to what they promise.

import Experiments
import GuestImages
import Hypervisor
import Registers
import TestSupport
import Testing

@Suite("A guest of an embedder's", .needsKVM, .bounded)
struct OwnGuestTests {
  /// Writes an MSR `writes` times at each entry, and promises `promised` of them.
  private func workload(writes: Int, promising promised: UInt64) throws -> Workload {
    try Workload(named: "own", entries: [.none], perIteration: .init(writes: promised)) { asm in
      for _ in 0..<writes {
        asm.mov(.ecx, MSR.specCtrl.rawValue)
        asm.xor(.eax, .eax)
        asm.xor(.edx, .edx)
        asm.wrmsr()
      }
    }
  }

  @Test("with a workload of its own is counted, and is no result where it does something else than it promises")
  func workload() throws {
    let experiment = try Experiment(
      running: workload(writes: 3, promising: 3), entry: .none, policy: .emulate, iterations: 20, samples: 4)
    let record = try experiment.run()
    #expect(record.counters.byMSR[.specCtrl]?.writes == 60 && record.samples.count == 4)
    #expect(record.experiment.workload.name == .unknown("own"))
    let liar = try Experiment(
      running: workload(writes: 3, promising: 2), entry: .none, policy: .emulate, iterations: 20, samples: 4)
    #expect {
      try liar.run()
    } throws: { error in
      if case ExperimentError.contradiction = error { true } else { false }
    }
  }

  /// The least guest that follows the ABI: one OUT in each iteration, in ring 0.
  private func image(promising outs: UInt64 = 1) throws -> GuestImage {
    var asm = Assembler(origin: Layout.image.lowerBound, mode: .bits64)
    asm.mov(.dword, .absolute(Layout.mailbox + UInt64(Mailbox.Offset.state)), Mailbox.State.running.rawValue)
    asm.mov(.edi, .absolute(Layout.mailbox + UInt64(Mailbox.Offset.samples)))
    asm.mov(.ebx, Layout.samples)
    asm.xor(.r13d, .r13d)
    func stamp(_ offset: Int) {
      asm.lfence()
      asm.rdtsc()
      asm.lfence()
      asm.mov(.at(.rbx, offset), .eax)
      asm.mov(.at(.rbx, offset + 4), .edx)
    }
    asm.bind("sample")
    asm.mov(.ebp, .at(.rbx, 0))
    stamp(8)
    asm.bind("iteration")
    asm.inc(.r13d)
    asm.out(Port.chatter, .al)
    asm.dec(.ebp)
    asm.jcc(.notZero, "iteration")
    stamp(16)
    asm.add(.ebx, SampleRecord.size)
    asm.dec(.edi)
    asm.jcc(.notZero, "sample")
    asm.mov(.absolute(Layout.mailbox + 0x10), .r13)
    asm.mov(.dword, .absolute(Layout.mailbox + UInt64(Mailbox.Offset.state)), Mailbox.State.done.rawValue)
    asm.out(Port.doorbell, .al)
    asm.hlt()
    let program = try asm.assemble()
    return try GuestImage(
      [MemoryImage(address: program.origin, bytes: program.bytes)], startingAt: program.origin,
      promising: Workload(named: "own-image", entries: [.none], perIteration: .init(outs: outs)), entry: .none)
  }

  @Test("with an image of its own runs like any other, as often as it is wanted, and stays here")
  func image() throws {
    var experiment = try Experiment(running: try image(), policy: .emulate, iterations: 30, samples: 3)
    for _ in 0..<2 {
      let record = try experiment.run()
      #expect(record.counters[.portOut] == 31 && record.mailbox.kernelEntries == 30 && record.clockDoubt == nil)
      #expect(record.samples.map(\.iterations) == [10, 10, 10])
    }
    #expect(throws: ExperimentError.self) { try experiment.pause(after: 10) }
    let liar = try Experiment(running: try image(promising: 2), policy: .emulate, iterations: 30, samples: 3)
    #expect(throws: ExperimentError.self) { try liar.run() }
  }

  @Test("with an image outside of the memory of images is refused")
  func outside() throws {
    for (address, start): (UInt64, UInt64) in [
      (0x7000, 0x8000), (0x2_8000, 0x8000), (0x8000, 0x2_8000), (.max, 0x8000),
    ] {
      #expect(throws: GuestImageError.self, "\(address.hex)") {
        try GuestImage(
          [MemoryImage(address: address, bytes: [0xf4])], startingAt: start,
          promising: Workload(named: "own", entries: [.none], perIteration: .init()), entry: .none)
      }
    }
  }
}
