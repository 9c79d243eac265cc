// The run loop alone: a guest that makes one kind of exit COUNT times, driven by the library's own loop with its
// counting, under `emulate`, and timed. scripts/instructions-per-exit runs this under callgrind beside the C loop on
// the same guest, scripts/bench-against-c in turns with it.

import GuestImages
import Hypervisor
import SystemPackage

@main
struct ExitLoop {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count >= 3, let kind = Kind(rawValue: arguments[1]), let count = UInt32(arguments[2]) else {
      _ = try FileDescriptor.standardError.writeAll("usage: ExitLoop out|wrmsr|hlt|uart COUNT [IMAGE]\n".utf8)
      throw Errno.invalidArgument
    }
    // Its devices are those of `spectrap boot`.
    guard kind != .uart || arguments.count > 3 else { throw Errno.invalidArgument }
    let program = try kind.guest(exits: count)
    if arguments.count > 3 {
      let file = try FileDescriptor.open(
        FilePath(arguments[3]), .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
      try file.closeAfter { _ = try file.writeAll(program.bytes) }
      return
    }
    // Nothing is proved: what that takes differs from run to run, and would be in the difference of two runs.
    var machine = try Machine(unproved: Emulate(), on: try KVM())
    try machine.vm.addMemory(at: 0, count: 0x10000)
    try machine.vm.write(program.bytes, at: GuestPhysicalAddress(program.origin))
    try machine.vcpu.startInRealMode(at: UInt16(program.origin))

    var ports = Ports()
    var observer = NoObserver()
    let control = RunControl(timeLimit: .seconds(600))
    let began = ContinuousClock.now
    _ = try machine.run(&ports, observer: &observer, control: control)
    let taken = Int((ContinuousClock.now - began) / .nanoseconds(1))
    let counts = machine.counters.byKind.map { "\($0.key.name) \($0.value)" }.sorted()
    print((counts + ["nanoseconds \(taken)"]).joined(separator: ", "))
  }
}

/// Resumes after every exit but an OUT to port 0x11.
private struct Ports: ExitHandler {
  @inline(__always) mutating func portOut(_ access: PortAccess, from cpu: borrowing VirtualCPU) -> Disposition {
    access.port == 0x11 ? .stop : .resume
  }
  @inline(__always) mutating func halt() -> Disposition { .resume }
}

private enum Kind: String {
  case out, wrmsr, hlt, uart

  /// A real-mode guest that makes this exit `exits` times and then writes to port 0x11.
  func guest(exits: UInt32) throws -> Program {
    var asm = Assembler(origin: 0x1000, mode: .bits16)
    asm.mov(.ebp, exits)
    asm.mov(.ecx, 0x48, "IA32_SPEC_CTRL")
    asm.mov(.eax, 1)
    asm.xor(.edx, .edx)
    asm.bind("again")
    switch self {
    case .out: asm.out(0x10, .al)
    case .wrmsr: asm.wrmsr()
    case .hlt: asm.hlt()
    case .uart:
      asm.mov(.edx, 0x3f8)
      asm.out(.dx, .al)
    }
    asm.dec(.ebp)
    asm.jcc(.notZero, "again")
    if self == .uart {
      asm.mov(.al, 0)
      asm.out(0xf4, .al)
    }
    asm.out(0x11, .al)
    return try asm.assemble()
  }
}
