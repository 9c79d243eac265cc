// IN and OUT of every size, single and repeated.

import CKVM
import GuestImages
import Hypervisor
import Testing

@Suite("Ports", .needsKVM)
struct PortTests {
  private static let port: UInt16 = 0x3f8

  /// Runs a real-mode program to its HLT.
  private func devices(
    after program: Program, supply: [UInt8] = [], check: (borrowing Machine<NoPolicy>) throws -> Void = { _ in }
  )
    throws -> Devices
  {
    var machine = try Machine(on: try KVM())
    try machine.load(program)
    var devices = Devices()
    devices.supply = supply
    let end = try machine.run(&devices)
    #expect(end == .finished)
    try check(machine)
    return devices
  }

  @Test("get 1, 2 and 4 bytes from OUT, by number and through DX")
  func out() throws {
    let program = try RealMode.program { asm in
      asm.mov(.eax, 0x4433_2211)
      asm.out(0x42, .al)
      asm.out(0x42, .ax)
      asm.out(0x42, .eax)
      asm.mov(.dx, Self.port)
      asm.out(.dx, .al)
      asm.out(.dx, .ax)
      asm.out(.dx, .eax)
      asm.hlt()
    }
    let bytes: [UInt8] = [0x11, 0x22, 0x33, 0x44]
    let expected = [0x42, Self.port].flatMap { port in
      [1, 2, 4].map { Devices.Output(port: port, size: $0, bytes: Array(bytes.prefix($0))) }
    }
    #expect(try devices(after: program).outputs == expected)
  }

  @Test("give 1, 2 and 4 bytes to IN, and leave the rest of EAX as the processor does")
  func `in`() throws {
    let program = try RealMode.program { asm in
      asm.mov(.dx, Self.port)
      for (index, size) in [Accumulator.al, .ax, .eax].enumerated() {
        asm.mov(.eax, 0xffff_ffff as UInt32)
        asm.in(size, .dx)
        asm.mov(.absolute(RealMode.data + UInt64(index * 4)), .eax)
      }
      asm.mov(.eax, 0)
      asm.in(.eax, 0x60, "more than the supply: an empty bus reads as ones")
      asm.mov(.absolute(RealMode.data + 12), .eax)
      asm.hlt()
    }
    let devices = try devices(after: program, supply: [1, 2, 3, 4, 5, 6, 7, 8]) { machine in
      let words = try (0..<4).map { try machine.vm.word(at: RealMode.data + UInt64($0 * 4)) }
      #expect(words == [0xffff_ff01, 0xffff_0302, 0x0706_0504, 0xffff_ff08])
    }
    #expect(devices.inputs.map(\.port) == [Self.port, Self.port, Self.port, 0x60])
    #expect(devices.inputs.map(\.size) == [1, 2, 4, 4])
  }

  /// The three widths of a string instruction that talks to a port.
  private static let widths: [(StringOperation, StringOperation, Int)] = [
    (.outsb, .insb, 1), (.outsw, .insw, 2), (.outsd, .insd, 4),
  ]

  @Test("get every byte of REP OUTS in order, however KVM parts it", arguments: widths)
  func repOuts(out: StringOperation, in: StringOperation, size: Int) throws {
    let text = (0..<240).map { UInt8($0) }
    let program = try RealMode.program { asm in
      asm.mov(.si, "text")
      asm.mov(.cx, text.count / size)
      asm.mov(.dx, Self.port)
      asm.cld()
      asm.rep(out)
      asm.mov(.absolute(RealMode.data), .si)
      asm.mov(.absolute(RealMode.data + 2), .cx)
      asm.hlt()
      asm.bind("text")
      asm.bytes(text)
    }
    let devices = try devices(after: program) { machine in
      let end = try machine.vm.word(at: RealMode.data, as: UInt16.self)
      let left = try machine.vm.word(at: RealMode.data + 2, as: UInt16.self)
      #expect(UInt64(end) == (program.labels["text"] ?? 0) + UInt64(text.count))
      #expect(left == 0)
    }
    #expect(devices.bytes(to: Self.port) == text)
    #expect(Set(devices.outputs.map(\.size)) == [size])
  }

  @Test("give every byte of REP INS in order, also more than one exit carries", arguments: widths)
  func repIns(out: StringOperation, in: StringOperation, size: Int) throws {
    let supply = (0..<6000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    let program = try RealMode.program { asm in
      asm.mov(.ax, RealMode.data >> 4)
      asm.mov(.es, .ax)
      asm.mov(.di, 0)
      asm.mov(.cx, supply.count / size)
      asm.mov(.dx, Self.port)
      asm.cld()
      asm.rep(`in`)
      asm.hlt()
    }
    let devices = try devices(after: program, supply: supply) { machine in
      let received = try machine.vm.read(supply.count, at: GuestPhysicalAddress(RealMode.data))
      #expect(received == supply)
    }
    #expect(devices.inputs.reduce(0) { $0 + $1.byteCount } == supply.count)
    #expect(Set(devices.inputs.map(\.size)) == [UInt8(size)])
  }
}
