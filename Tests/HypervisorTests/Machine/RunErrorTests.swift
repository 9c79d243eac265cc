// The errors that end a run: each says what happened, where the guest stood, and what was there.

import CKVM
import SystemPackage
import Testing

@testable import Hypervisor

@Suite("A run's error")
struct RunErrorTests {
  private var state: GuestState {
    var registers = kvm_regs()
    registers.rip = 0x8012
    registers.rax = 0xdead
    var special = kvm_sregs()
    special.cs.selector = 0x33
    special.cr2 = 0x40_0000
    return GuestState(registers: registers, specialRegisters: special, instructionBytes: [0x0f, 0xa2])
  }

  @Test("says where the guest stood, in which ring, and which bytes are there")
  func guestState() {
    let lines = "\(state)".split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[0] == "at rip 0x8012 (cs 0x33, CPL 3), bytes there: 0f a2")
    #expect(lines[1].contains("rax 0xdead"))
    #expect(lines[2].contains("cr2 0x400000"))
    let unmapped = GuestState(registers: .init(), specialRegisters: .init(), instructionBytes: [])
    #expect("\(unmapped)".contains("bytes there: not readable"))
  }

  @Test("says what KVM or the hardware had against the guest")
  func reasons() {
    let emulation = InternalError(suberror: UInt32(KVM_INTERNAL_ERROR_EMULATION), data: [], instruction: [])
    let delivery = InternalError(suberror: UInt32(KVM_INTERNAL_ERROR_DELIVERY_EV), data: [], instruction: [])
    let expected: [(RunError, String)] = [
      (.kvm(KVMError(.request(.run), .badAddress)), "KVM refused KVM_RUN: Bad address"),
      (.tripleFault(state), "the guest ended with a triple fault at rip 0x8012"),
      (
        .emulationFailure(emulation, state),
        "KVM cannot emulate the instruction (KVM_EXIT_INTERNAL_ERROR) at rip 0x8012"
      ),
      (
        .internalError(delivery, state),
        "an exit while an event was being delivered (KVM_EXIT_INTERNAL_ERROR) at rip 0x8012"
      ),
      (
        .failedEntry(hardwareReason: 0x8000_0021, state),
        "the hardware refused to enter the guest (KVM_EXIT_FAIL_ENTRY, reason 0x80000021) at rip 0x8012"
      ),
      (
        .unanswered(.common(.portIn(PortAccess(port: 0x60, size: 1, count: 1, dataOffset: 0))), state),
        "the guest did something that Spectrap does not handle: IN of 1 byte from port 0x60 at rip 0x8012"
      ),
      (
        .unanswered(.other(.xen), state),
        "the guest did something that Spectrap does not handle: other(KVM_EXIT_XEN) at rip"
      ),
      (
        .policy(.entryLoad(index: 3, MSREntry(.efer, 1))), "VM entry aborted: entry 3 of the entry-load list, IA32_EFER"
      ),
    ]
    for (error, start) in expected { #expect("\(error)".hasPrefix(start), "\(error)") }
  }
}
