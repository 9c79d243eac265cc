// Loads and stores where the guest has no memory.

import CKVM
import GuestImages
import Hypervisor
import Testing

@Suite("MMIO", .needsKVM)
struct MMIOTests {
  private static let value: UInt64 = 0x8877_6655_4433_2211

  @Test("gets stores of 1, 2 and 4 bytes, and answers loads of them, in real mode")
  func realMode() throws {
    var machine = try Machine(on: try KVM())
    try machine.load(
      RealMode.program { asm in
        asm.mov(.ax, RealMode.hole >> 4)
        asm.mov(.es, .ax)
        asm.mov(.eax, UInt32(truncatingIfNeeded: Self.value))
        asm.mov(.absolute(0x10).through(.es), .al)
        asm.mov(.absolute(0x20).through(.es), .ax)
        asm.mov(.absolute(0x30).through(.es), .eax)
        asm.xor(.ebx, .ebx)
        asm.mov(.bl, .absolute(0x40).through(.es))
        asm.mov(.absolute(RealMode.data), .ebx)
        asm.mov(.bx, .absolute(0x50).through(.es))
        asm.mov(.absolute(RealMode.data + 4), .ebx)
        asm.mov(.ebx, .absolute(0x60).through(.es))
        asm.mov(.absolute(RealMode.data + 8), .ebx)
        asm.hlt()
      })
    var devices = Devices()
    devices.loadValue = Self.value
    let end = try machine.run(&devices)
    #expect(end == .finished)
    #expect(devices.stores.map(\.address.rawValue) == [0x10, 0x20, 0x30].map { RealMode.hole + $0 })
    #expect(devices.stores.map(\.length) == [1, 2, 4])
    #expect(devices.stores.map(\.value) == [0x11, 0x2211, 0x4433_2211])
    #expect(devices.loads.map(\.address.rawValue) == [0x40, 0x50, 0x60].map { RealMode.hole + $0 })
    #expect(devices.loads.map(\.length) == [1, 2, 4])
    let words = try (0..<3).map { try machine.vm.word(at: RealMode.data + UInt64($0 * 4)) }
    #expect(words == [0x11, 0x2211, 0x4433_2211])
  }

  @Test("gets a store of 8 bytes and answers a load of them, in 64-bit mode")
  func longMode() throws {
    let hole: UInt64 = 0x1f_f000
    var machine = try Machine(on: try KVM())
    try machine.loadLong { asm in
      asm.mov(.rax, Self.value)
      asm.mov(.absolute(hole + 8), .rax)
      asm.mov(.rbx, .absolute(hole + 16))
      asm.mov(.absolute(Layout.samples), .rbx)
      asm.hlt()
    }
    try machine.map(hole, to: hole)
    var devices = Devices()
    devices.loadValue = ~Self.value
    let end = try machine.run(&devices)
    #expect(end == .finished)
    #expect(devices.stores == devices.stores.filter { $0.length == 8 && $0.value == Self.value })
    #expect(devices.stores.map(\.address.rawValue) == [hole + 8])
    #expect(devices.loads.map(\.address.rawValue) == [hole + 16])
    #expect(try machine.vm.word(at: Layout.samples, as: UInt64.self) == ~Self.value)
  }
}
