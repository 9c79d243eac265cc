// Getting a guest into a machine: its memory, its start state; and getting it to run with a limit on its time.

import CKVM
import GuestImages
import Testing

@testable import Experiments
@testable import Hypervisor

/// Where the real-mode guests of these tests have their things, all within the first segment.
enum RealMode {
  static let code: UInt64 = 0x1000
  static let data: UInt64 = 0x6000
  static let stackTop: UInt16 = 0x8000
  static let memorySize = 0x2_0000
  /// An address that has no memory.
  static let hole: UInt64 = 0xa_0000

  /// Assembles a program that starts at `code`; DS, ES and SS are 0.
  static func program(_ body: (inout Assembler) -> Void) throws -> Program {
    var asm = Assembler(origin: code, mode: .bits16)
    body(&asm)
    return try asm.assemble()
  }
}

extension VirtualMachine {
  /// Gives the VM its memory with a real-mode program in it.
  mutating func load(_ program: Program) throws {
    try addMemory(at: 0, count: RealMode.memorySize)
    try write(program.bytes, at: GuestPhysicalAddress(program.origin))
  }

  /// A little-endian number in guest memory.
  func word<T: FixedWidthInteger>(at address: UInt64, as type: T.Type = UInt32.self) throws -> T {
    try read(MemoryLayout<T>.size, at: GuestPhysicalAddress(address)).reversed().reduce(0) { $0 << 8 | T($1) }
  }
}

extension Machine where P: ~Copyable {
  /// Loads a real-mode program into a machine that has no memory yet.
  mutating func load(_ program: Program) throws {
    try vm.load(program)
    try vcpu.startInRealMode(at: UInt16(program.origin), stack: RealMode.stackTop)
  }

  /// Loads a 64-bit program of the test's own in the place of an image's kernel, whose tables it keeps.
  mutating func loadLong(_ body: (inout Assembler) -> Void) throws {
    let image = try GuestImage(Workload(.bare), entry: .none)
    let origin = try #require(image.programs.first?.program.origin)
    var asm = Assembler(origin: origin, mode: .bits64)
    body(&asm)
    let program = try asm.assemble()
    try load(image, iterations: [1])
    try vm.write(program.bytes, at: GuestPhysicalAddress(origin))
  }

  /// Makes a page of linear addresses stand for a page of physical ones, in the tables of an image.
  mutating func map(_ linear: UInt64, to physical: UInt64) throws {
    // The last of the four tables, one page each: present and writable, for 4 KiB.
    let entry = StartState.cr3 + 3 * UInt64(Layout.pageSize) + linear / UInt64(Layout.pageSize) * 8
    let value = physical | 0b11
    try vm.write((0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }, at: GuestPhysicalAddress(entry))
  }

  /// Runs the guest, for at most as long as no guest here should ever take.
  mutating func run<H: ExitHandler & ~Copyable>(
    _ handler: inout H, within limit: Duration = .seconds(30)
  ) throws(RunError) -> End {
    var nothing = NoObserver()
    return try run(&handler, observer: &nothing, control: RunControl(timeLimit: limit))
  }
}

/// A VM and its vCPU without the run loop, for tests that look between an exit and its end.
struct RawGuest: ~Copyable {
  var vm: VirtualMachine
  var cpu: VirtualCPU

  /// A vCPU at the start of a real-mode program, whose accesses of these MSRs are handed over.
  init(_ program: Program, intercepting msrs: [MSR] = []) throws {
    var vm = try KVM().makeVM()
    if !msrs.isEmpty {
      try vm.enableMSRExits(.filter)
      try vm.setMSRFilter(.denying(msrs))
    }
    try vm.load(program)
    var cpu = try vm.makeVCPU()
    try cpu.startInRealMode(at: UInt16(program.origin), stack: RealMode.stackTop)
    self.vm = vm
    self.cpu = cpu
  }

  /// Runs the guest to its next exit, within a limit that no guest here comes near.
  mutating func run() throws -> Exit {
    let control = RunControl(timeLimit: .seconds(30))
    // Safe: the vCPU is there until after `end()`.
    try unsafe control.begin(setting: cpu.immediateExit)
    defer { control.end() }
    return try cpu.run()
  }
}
