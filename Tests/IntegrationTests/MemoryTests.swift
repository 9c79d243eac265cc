// Guest memory: the slots, what the VMM may touch, and that nothing outlives its owner.

import CKVM
import GuestImages
import Hypervisor
import TestSupport
import Testing

@Suite("Guest memory", .needsKVM)
struct MemoryTests {
  private static let page = 0x1000

  /// Why the VM refuses memory there, nil when it takes it.
  private func refusal(_ vm: inout VirtualMachine, _ start: UInt64, _ count: Int) -> GuestMemoryError? {
    do throws(GuestMemoryError) { try vm.addMemory(at: GuestPhysicalAddress(start), count: count) } catch {
      return error
    }
    return nil
  }

  @Test("in several slots is zero at first, and keeps what is written to each")
  func slots() throws {
    var vm = try KVM().makeVM()
    let starts: [GuestPhysicalAddress] = [0, 0x10_0000, 0x2000, 0x1_0000_0000]
    for start in starts { try vm.addMemory(at: start, count: Self.page) }
    for start in starts {
      let bytes = try vm.read(Self.page, at: start)
      #expect(bytes.allSatisfy { $0 == 0 })
    }
    for (index, start) in starts.enumerated() {
      try vm.write([UInt8(index + 1), 0xff], at: GuestPhysicalAddress(start.rawValue + 0xffe))
    }
    for (index, start) in starts.enumerated() {
      let bytes = try vm.read(3, at: GuestPhysicalAddress(start.rawValue + 0xffd))
      #expect(bytes == [0, UInt8(index + 1), 0xff])
    }
  }

  @Test("refuses a slot that overlaps another, whichever comes first")
  func overlap() throws {
    var vm = try KVM().makeVM()
    try vm.addMemory(at: 0x4000, count: 4 * Self.page)
    let existing = GuestPhysicalRange(start: 0x4000, count: 4 * Self.page)
    for (start, pages) in [(0x4000, 4), (0x5000, 1), (0x3000, 2), (0x7000, 9), (0x0, 64)] as [(UInt64, Int)] {
      let range = GuestPhysicalRange(start: GuestPhysicalAddress(start), count: pages * Self.page)
      let error = refusal(&vm, start, pages * Self.page)
      #expect(error == .overlaps(range, existing: existing))
    }
    for start in [0x3000, 0x8000] as [UInt64] {
      let error = refusal(&vm, start, Self.page)
      #expect(error == nil)
    }
  }

  @Test(
    "refuses a slot that is not whole pages within 52 bits",
    arguments: [
      (0x1, 0x1000), (0x800, 0x1000), (0x1000, 0), (0x1000, 1), (0x1000, 0xfff), (0x1000, 0x1001), (0x1000, -0x1000),
      (0x1000, .min), (1 << 52, 0x1000), ((1 << 52) - 0x1000, 0x2000), (.max - 0xfff, 0x1000),
      (0x1000, Int.max & ~0xfff), (.max & ~0xfff, Int.max & ~0xfff),
    ] as [(UInt64, Int)])
  func misplaced(start: UInt64, count: Int) throws {
    var vm = try KVM().makeVM()
    let error = refusal(&vm, start, count)
    #expect(error == .misplaced(GuestPhysicalRange(start: GuestPhysicalAddress(start), count: count)))
  }

  @Test("refuses what the host cannot map, and takes a slot there afterwards")
  func noRoom() throws {
    var vm = try KVM().makeVM()
    let error = refusal(&vm, 0, 1 << 51)
    guard case .refused = error else {
      Issue.record("\(error.map { "\($0)" } ?? "2 PiB were mapped")")
      return
    }
    let again = refusal(&vm, 0, Self.page)
    #expect(again == nil)
  }

  @Test("has 32 slots")
  func slotLimit() throws {
    var vm = try KVM().makeVM()
    for slot in 0..<VirtualMachine.maximumMemorySlots {
      let error = refusal(&vm, UInt64(slot * 2 * Self.page), Self.page)
      #expect(error == nil)
    }
    let error = refusal(&vm, 0x100_0000, Self.page)
    #expect(error == .noFreeSlot(limit: 32))
    try vm.write([1], at: GuestPhysicalAddress(UInt64(31 * 2 * Self.page)))
  }

  @Test(
    "throws at an access that no single slot holds, and writes nothing",
    arguments: [
      (0x1fff, 2), (0x3000, 1), (0x0, 1), (0xfff, 2), (.max, 1), (.max, 2), (0x1000, .max), (0x2ff8, 9), (0x1000, -1),
    ] as [(UInt64, Int)])
  func outOfBounds(address: UInt64, count: Int) throws {
    var vm = try KVM().makeVM()
    // Two slots side by side: their mappings need not be, so no access may cross from one into the other.
    try vm.addMemory(at: 0x1000, count: Self.page)
    try vm.addMemory(at: 0x2000, count: Self.page)
    let expected = GuestMemoryError.notMapped(
      GuestPhysicalRange(start: GuestPhysicalAddress(address), count: count))
    #expect(throws: expected) { _ = try vm.read(count, at: GuestPhysicalAddress(address)) }
    guard (1...16).contains(count) else { return }
    let bytes = [UInt8](repeating: 0xff, count: count)
    do throws(GuestMemoryError) {
      try vm.write(bytes, at: GuestPhysicalAddress(address))
      Issue.record("it was written")
    } catch { #expect(error == expected) }
    for start in [0x1000, 0x2000] as [GuestPhysicalAddress] {
      let content = try vm.read(Self.page, at: start)
      #expect(content.allSatisfy { $0 == 0 })
    }
  }

  @Test("is one for the guest and the VMM, across slots that lie side by side")
  func sharedWithTheGuest() throws {
    var machine = try Machine(on: try KVM())
    let program = try RealMode.program { asm in
      asm.mov(.ax, 0x1000)
      asm.mov(.es, .ax, "0x10000, the second slot's start")
      asm.mov(.bx, .absolute(0).through(.es))
      asm.add(.bx, 1)
      asm.mov(.absolute(2).through(.es), .bx)
      asm.mov(.ax, 0x0fff)
      asm.mov(.es, .ax)
      asm.mov(.eax, 0xaabb_ccdd as UInt32)
      asm.mov(.absolute(0xe).through(.es), .eax, "two bytes in each slot")
      asm.hlt()
    }
    try machine.vm.addMemory(at: 0, count: 0x1_0000)
    try machine.vm.addMemory(at: 0x1_0000, count: Self.page)
    try machine.vm.write(program.bytes, at: GuestPhysicalAddress(program.origin))
    try machine.vm.write([0x33, 0x12], at: 0x1_0000)
    try machine.vcpu.startInRealMode(at: UInt16(program.origin), stack: RealMode.stackTop)
    var devices = NoDevices()
    let end = try machine.run(&devices)
    #expect(end == .finished)
    let low = try machine.vm.read(2, at: 0xfffe)
    let high = try machine.vm.read(4, at: 0x1_0000)
    #expect(low == [0xdd, 0xcc])
    #expect(high == [0xbb, 0xaa, 0x34, 0x12])
  }

  /// A vCPU whose VM is gone, at the start of a program that would halt.
  private func orphan() throws -> VirtualCPU {
    var vm = try KVM().makeVM()
    let program = try RealMode.program { asm in
      asm.mov(.dword, .absolute(RealMode.data), 0x1234)
      asm.hlt()
    }
    try vm.load(program)
    var cpu = try vm.makeVCPU()
    try cpu.startInRealMode(at: UInt16(program.origin), stack: RealMode.stackTop)
    return cpu
  }

  @Test("that is gone cannot be reached by a vCPU that outlives its VM", .bounded)
  func outlived() throws {
    var cpu = try orphan()
    // Takes the address space that the guest's memory had, so that a guest which still reached it would be seen.
    let mapping = try Mapping(count: RealMode.memorySize)
    for _ in 0..<3 {
      let exit = try cpu.run()
      #expect(exit != .halt, "the program ran in memory that is gone")
    }
    let bytes = mapping.bytes
    let touched = (0..<bytes.byteCount).contains { unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) != 0 }
    #expect(!touched)
    let still = try cpu.physicalAddress(ofLinear: RealMode.code)
    #expect(still != nil, "the vCPU itself is whole")
  }
}
