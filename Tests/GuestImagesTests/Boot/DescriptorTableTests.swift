// The guest's segments, task state and gates, decoded field by field.

import Testing

@testable import GuestImages

@Suite("The descriptor tables")
struct DescriptorTableTests {
  private let memory = LoadedMemory([DescriptorTables.gdt, DescriptorTables.tss])!

  @Test("give ring 0 and ring 3 flat code and data, 64-bit code with L and without D")
  func segments() {
    #expect(memory.word(at: StartState.gdt.base) == 0, "the null descriptor")
    #expect(memory.descriptor(0x08) == .flat(type: 0xb, privilege: 0, isLong: false))
    #expect(memory.descriptor(Selector.kernelCode) == .flat(type: 0xb, privilege: 0, isLong: true))
    #expect(memory.descriptor(Selector.kernelData) == .flat(type: 0x3, privilege: 0, isLong: false))
    #expect(memory.descriptor(Selector.userCode32) == .flat(type: 0xb, privilege: 3, isLong: false))
    #expect(memory.descriptor(Selector.userData) == .flat(type: 0x3, privilege: 3, isLong: false))
    #expect(memory.descriptor(Selector.userCode64) == .flat(type: 0xb, privilege: 3, isLong: true))
  }

  @Test("have selectors that ask for the privilege of their descriptor")
  func requestedPrivilege() {
    for selector in [
      Selector.kernelCode, Selector.kernelData, Selector.userCode32, Selector.userData, Selector.userCode64,
    ] {
      #expect(UInt64(selector & 3) == memory.descriptor(selector).privilege, "selector \(selector)")
    }
  }

  @Test("describe a busy 64-bit task state where the layout has it")
  func taskState() {
    let descriptor = memory.descriptor(Selector.taskState)
    #expect(descriptor.base == StartState.tss.base)
    #expect(descriptor.limit == UInt64(StartState.tss.limit))
    #expect(descriptor.type == 0xb && !descriptor.isCodeOrData && descriptor.privilege == 0)
    #expect(descriptor.isPresent && !descriptor.isLimitInPages)
  }

  @Test("give the task state the kernel's stack as RSP0, no other stack, and no port for user mode")
  func taskStateContent() {
    let tss = StartState.tss.base
    #expect(memory.word(at: tss + 0x04) == Layout.kernelStackTop)
    for offset in stride(from: 0x0c, through: 0x54, by: 8) as StrideThrough<UInt64> {
      #expect(memory.word(at: tss + offset) == 0, "RSP1, RSP2 and the interrupt stacks: offset \(offset)")
    }
    #expect(UInt32(memory.word(UInt16.self, at: tss + 0x66)) > StartState.tss.limit, "the I/O map lies outside")
  }

  @Test("stand in the order that SYSCALL, SYSRET, SYSENTER and SYSEXIT compute with")
  func computedSelectors() {
    let (enter, leave) = (UInt16(Selector.star[32...47]), UInt16(Selector.star[48...63]))
    #expect((enter, enter + 8) == (Selector.kernelCode, Selector.kernelData))
    #expect((leave + 16, leave + 8) == (Selector.userCode64, Selector.userData))
    let base = UInt16(Selector.sysenterCS)
    #expect((base, base + 8) == (Selector.kernelCode, Selector.kernelData))
    #expect((base + 16 | 3, base + 24 | 3) == (Selector.userCode32, Selector.userData))
  }

  @Test("are as long as their limits say, and lie apart from each other in their pages")
  func limits() {
    #expect(DescriptorTables.gdt.bytes.count == Int(StartState.gdt.limit) + 1)
    #expect(DescriptorTables.tss.bytes.count == Int(StartState.tss.limit) + 1)
    let idt = DescriptorTables.idt(handlers: Array(repeating: 0, count: DescriptorTables.vectorCount))
    #expect(idt.bytes.count == Int(StartState.idt.limit) + 1)
    #expect(StartState.gdt.base + UInt64(StartState.gdt.limit) < StartState.tss.base)
    #expect(StartState.tss.base + UInt64(StartState.tss.limit) < StartState.idt.base)
  }

  @Test("lead a vector to any 64-bit address, through a gate that ring 3 may use")
  func gates() throws {
    let handlers = (0..<DescriptorTables.vectorCount).map { 0xffff_8123_4567_0000 + UInt64($0) * 0x1111 }
    let memory = try #require(LoadedMemory([DescriptorTables.idt(handlers: handlers)]))
    for (vector, handler) in handlers.enumerated() { #expect(memory.gate(vector) == InterruptGate(to: handler)) }
  }

  @Test("are loaded in 64-bit mode, with paging, write protection and SYSCALL on")
  func startState() {
    #expect(StartState.cr0[0] && StartState.cr0[16] && StartState.cr0[31], "PE, WP, PG")
    #expect(StartState.cr4[5] && StartState.cr4[9], "PAE, OSFXSR")
    #expect(StartState.efer[0] && StartState.efer[8] && StartState.efer[10], "SCE, LME, LMA")
  }
}
