// Loads a boot plan into a machine: the contents of its memory and the initial state of its vCPU.
// Facts: Intel SDM vol. 3A, 3.4.5 (segment types), 10.8.5 (IA-32e mode); KVM API document, section 4.13 (kvm_sregs).

import CKVM
import Experiments
import Hypervisor
import Images

extension Machine where P: ~Copyable {
  /// Loads the guest into a machine's memory, and sets the vCPU's initial state.
  ///
  /// - Throws: `GuestFileError`, `GuestMemoryError` or `KVMError`.
  mutating func load(_ plan: BootPlan, of image: GuestFile, initrd: GuestFile?) throws {
    for part in plan.parts { try image.load(part.file, into: &vm, at: GuestPhysicalAddress(part.address)) }
    if let initrd, let address = plan.initrd {
      try initrd.load(0..<initrd.count, into: &vm, at: GuestPhysicalAddress(address))
    }
    for made in plan.made { try vm.write(made.bytes, at: GuestPhysicalAddress(made.address)) }

    var special = try vcpu.specialRegisters()
    var registers = kvm_regs()
    registers.rflags = 2
    special.begin(plan.start)
    registers.begin(plan.start)
    try vcpu.setSpecialRegisters(special)
    try vcpu.setRegisters(registers)
  }
}

extension kvm_regs {
  fileprivate mutating func begin(_ start: BootPlan.Start) {
    switch start {
    case .real(_, let offset): rip = UInt64(offset)
    case .protected(let eip, let eax, let ebx): (rip, rax, rbx) = (UInt64(eip), UInt64(eax), UInt64(ebx))
    case .long(let rip, let rsi, _, _, _): (self.rip, self.rsi) = (rip, rsi)
    }
  }
}

extension kvm_sregs {
  /// CR0: protection on, the numeric coprocessor is a 387.
  private static var protectedCR0: UInt64 { 0x11 }

  fileprivate mutating func begin(_ start: BootPlan.Start) {
    switch start {
    case .real(let segment, _):
      cs.selector = segment
      cs.base = UInt64(segment) << 4
    case .protected:
      cr0 = Self.protectedCR0
      (cr4, efer) = (0, 0)
      setFlatSegments(code: 8, data: 0x10, isLong: false)
      tr = .taskState(limit: 0x67)
    case .long(_, _, let pageTables, let table, let limit):
      cr0 = Self.protectedCR0 | 1 << 31  // paging
      cr3 = pageTables
      cr4 = 1 << 5  // PAE
      efer = 1 << 8 | 1 << 10  // long mode enabled and active
      gdt.base = table
      gdt.limit = limit
      // No exception can be handled yet.
      idt.base = 0
      idt.limit = 0
      setFlatSegments(code: 0x10, data: 0x18, isLong: true)
      tr = .taskState(limit: 0x67)
    }
  }
}
