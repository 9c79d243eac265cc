// A real-mode guest that makes a list of MSR accesses one after the other and survives each #GP, and the policy that
// answers those that reach the VMM.
// Facts: Intel SDM vol. 2, RDMSR and WRMSR (two bytes long; #GP also in real mode).

import GuestImages
import Hypervisor

/// One step of the guest.
enum MSRStep: Equatable {
  case read(MSR)
  case write(MSR, UInt64)
  /// Rings the doorbell, so that the VMM can change something before the next step.
  case pause
}

/// What the guest found.
struct MSROutcome: Equatable {
  let faulted: Bool
  /// What was read, nil for a fault or a write.
  let value: UInt64?

  static let fault = MSROutcome(faulted: true, value: nil)
  static let written = MSROutcome(faulted: false, value: nil)
  static func read(_ value: UInt64) -> MSROutcome { MSROutcome(faulted: false, value: value) }
}

struct MSRGuest {
  let steps: [MSRStep]

  /// What the #GP handler leaves in ECX: a number that no step accesses.
  private static let mark = UInt32.max
  private static let vector: UInt64 = 13 * 4

  init(_ steps: [MSRStep]) {
    precondition(steps.count <= 64)
    self.steps = steps
  }

  private func slot(_ index: Int) -> UInt64 { RealMode.data + UInt64(index) * 16 }

  private var accesses: [MSRStep] { steps.filter { $0 != .pause } }

  func program() throws -> Program {
    try RealMode.program { asm in
      asm.mov(.word, .absolute(Self.vector + 2), 0, "the handler of #GP")
      asm.mov(.ax, "refused")
      asm.mov(.absolute(Self.vector), .ax)
      var index = 0
      for step in steps {
        switch step {
        case .pause:
          asm.out(Port.doorbell, .al)
          continue
        case .read(let msr):
          asm.mov(.ecx, msr.rawValue)
          asm.rdmsr()
        case .write(let msr, let value):
          asm.mov(.ecx, msr.rawValue)
          asm.mov(.eax, UInt32(truncatingIfNeeded: value))
          asm.mov(.edx, UInt32(truncatingIfNeeded: value >> 32))
          asm.wrmsr()
        }
        asm.mov(.absolute(slot(index)), .eax)
        asm.mov(.absolute(slot(index) + 4), .edx)
        asm.mov(.absolute(slot(index) + 8), .ecx)
        index += 1
      }
      asm.hlt()

      asm.bind("refused", "#GP: marks the access as refused, in ECX")
      asm.mov(.bp, .sp)
      asm.add(.word, .at(.bp).through(.ss), 2, "steps over the RDMSR or WRMSR")
      asm.mov(.ecx, Self.mark)
      asm.iretw()
    }
  }

  /// What the guest found at each access.
  func outcomes(in vm: borrowing VirtualMachine) throws -> [MSROutcome] {
    var outcomes: [MSROutcome] = []
    for (index, step) in accesses.enumerated() {
      if try vm.word(at: slot(index) + 8) == Self.mark {
        outcomes.append(.fault)
      } else if case .read = step {
        outcomes.append(.read(try vm.word(at: slot(index), as: UInt64.self)))
      } else {
        outcomes.append(.written)
      }
    }
    return outcomes
  }
}

/// Answers MSR accesses as the test says, and intercepts nothing by itself.
struct Answering: Policy {
  let subject = MSR.specCtrl
  var intercepts: [MSR] { [] }
  var onRead: (MSR) -> MSRReply = { _ in .fault }
  var onWrite: (MSR, UInt64) -> MSRReply = { _, _ in .fault }

  mutating func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError) {}
  mutating func read(_ msr: MSR) -> MSRReply { onRead(msr) }
  mutating func write(_ msr: MSR, _ value: UInt64) -> MSRReply { onWrite(msr, value) }
  func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue {
    SubjectValue(guest: 0, register: nil)
  }
  static func support(on terms: Terms) -> PolicySupport { .refused("a test's own") }
}
