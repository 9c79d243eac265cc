// Guests that go wrong, or say what cannot be: each ends as an error that tells what happened, never as a result.

import Experiments
import Hypervisor
import Testing
import TestSupport

@testable import GuestImages

@Suite("A guest that goes wrong", .needsKVM)
struct GuestFailureTests {
  /// An address beyond all memory that the page tables map.
  private static let unmapped: UInt64 = 0x20_0000

  /// A run of a guest whose kernel does this, in ring 0 alone.
  private func run(_ policy: PolicyName = .emulate, body: @escaping @Sendable (inout Assembler) -> Void) throws {
    var experiment = try Experiment(.bare, entry: .none, policy: policy, iterations: 4, samples: 2)
    experiment.workload.body = body
    _ = try experiment.run()
  }

  private func fault(body: @escaping @Sendable (inout Assembler) -> Void) throws -> GuestFault {
    do { try run(body: body) } catch ExperimentError.guestFault(let fault) { return fault }
    throw ExperimentError.mailbox("there was no fault")
  }

  @Test("with a page fault says where, and at which address")
  func pageFault() throws {
    let fault = try fault { $0.mov(.eax, .absolute(Self.unmapped)) }
    #expect((fault.vector, fault.cr2, fault.cs & 3) == (14, Self.unmapped, 0))
    #expect(fault.errorCode & 1 == 0, "not present")
    #expect((Layout.kernelText..<Layout.kernelTextEnd).contains(fault.rip))
  }

  @Test("with an undefined instruction says so")
  func undefined() throws { #expect(try fault { $0.ud2() }.vector == 6) }

  @Test("by a reserved bit that the policy refuses gets a #GP, as the hardware would give")
  func reservedBit() throws {
    let fault = try fault { $0.writeMSR(.specCtrl, 1 << 63, "reserved") }
    #expect((fault.vector, fault.errorCode) == (13, 0))
  }

  @Test("is named with its ring when user mode faults")
  func userMode() throws {
    let host = try Host.proved()
    for entry in host.entries where entry != .none {
      var experiment = try Experiment(.bare, entry: entry, policy: .emulate, iterations: 1, samples: 1)
      // The kernel clears the pointer that user mode stores its time stamp through.
      experiment.workload.body = { $0.mov(.ebx, UInt32(Self.unmapped)) }
      #expect {
        try experiment.run()
      } throws: { error in
        guard case ExperimentError.guestFault(let fault) = error else { return false }
        return fault.vector == 14 && fault.cs & 3 == 3 && "\(error)".contains("in ring 3")
      }
    }
  }

  @Test("at a port that nobody answers ends with that exit")
  func unknownPort() {
    #expect {
      try run { $0.out(0x80, .al) }
    } throws: { error in
      guard case RunError.unanswered(.common(.portOut(let access)), _) = error else { return false }
      return access.port == 0x80
    }
  }

  @Test("for a pause that nobody ordered ends with that exit")
  func unorderedPause() {
    #expect {
      try run { $0.out(Port.pause, .al) }
    } throws: { error in
      guard case RunError.unanswered(.common(.portOut(let access)), _) = error else { return false }
      return access.port == UInt16(Port.pause)
    }
  }

  @Test("for a pause at another place than was ordered is found out")
  func otherPause() throws {
    var experiment = try Experiment(.bare, entry: .none, policy: .emulate, iterations: 4, samples: 2)
    try experiment.pause(after: 2)
    experiment.workload.body = { $0.out(Port.pause, .al) }
    #expect {
      try experiment.run()
    } throws: { error in
      guard case ExperimentError.mailbox(let text) = error else { return false }
      return text.contains("after 0 samples, but its pause was set after 1")
    }
  }

  @Test("and rings the doorbell early is no result: the counters contradict what was ordered")
  func earlyDoorbell() {
    #expect {
      try run { $0.out(Port.doorbell, .al) }
    } throws: { error in
      guard case ExperimentError.contradiction(let sentences) = error else { return false }
      return sentences.contains { $0.hasPrefix("0 of 2 samples") }
    }
  }

  @Test("and does other than it was built to do is no result", arguments: PolicyName.allCases)
  func otherCounts(policy: PolicyName) throws {
    let host = try Host.proved()
    for subject in Host.subjects where host.supports(policy, of: subject) {
      var experiment = try Experiment(.chatty, entry: .none, policy: policy, msr: subject, iterations: 4, samples: 2)
      experiment.workload.perIteration.outs = 2
      #expect {
        try experiment.run()
      } throws: { error in
        guard case ExperimentError.contradiction(let sentences) = error else { return false }
        return sentences == ["OUTs: 5 counted, 9 expected"]
      }
    }
  }

  @Test("and changes the iterations of its samples is found out")
  func changedIterations() {
    #expect {
      try run { $0.add(.dword, .at(.rbx), 1) }
    } throws: { error in
      guard case ExperimentError.mailbox(let text) = error else { return false }
      return text.contains("changed the number of iterations")
    }
  }

  @Test("and writes nonsense into its mailbox is found out")
  func nonsense() {
    #expect {
      try run { asm in
        asm.mov(.dword, .absolute(Layout.mailbox), 99)
        asm.out(Port.doorbell, .al)
      }
    } throws: { error in
      guard case ExperimentError.mailbox = error else { return false }
      return true
    }
  }
}
