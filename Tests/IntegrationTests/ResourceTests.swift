// What machines take of the host, and that they give it back. The tests that count what the process holds run in a
// process of their own, where no other test opens or maps anything.

import GuestImages
import Hypervisor
import TestSupport
import Testing

@Suite("Machines", .needsKVM)
struct ResourceTests {
  /// What a process holds.
  private struct Holdings {
    let descriptors: Int
    /// Lines of /proc/self/maps.
    let mappings: Int
    /// Those of them that KVM or guest memory is behind.
    let ours: Int
    let threads: Int

    static func now() -> Holdings {
      let files = HostFiles()
      let maps = (files.text("proc/self/maps", limit: 4 << 20) ?? "").split(separator: "\n")
      return Holdings(
        descriptors: files.names(in: "proc/self/fd").count, mappings: maps.count,
        ours: maps.count { $0.contains("kvm") || $0.contains("/dev/zero") },
        threads: files.names(in: "proc/self/task").count)
    }

    /// Expects that nothing has come to stay.
    ///
    /// The allocator may part or join a few mappings of its own, and the concurrency runtime start or retire a worker.
    func expectNoMore(than before: Holdings) {
      #expect(descriptors == before.descriptors)
      #expect(ours == 0 && before.ours == 0)
      #expect(mappings < before.mappings + 20)
      #expect(threads <= before.threads + 2)
    }
  }

  /// A guest that adds up the numbers from 1 to what IN gives it, over `exits` exits.
  private static func program(exits: Int) throws -> Program {
    try RealMode.program { asm in
      asm.mov(.cx, exits)
      asm.xor(.ebx, .ebx)
      asm.bind("again")
      asm.in(.al, 0x60)
      asm.movzx(.eax, .al)
      asm.add(.ebx, .eax)
      asm.mov(.absolute(RealMode.data), .ebx)
      asm.loop("again")
      asm.hlt()
    }
  }

  /// Makes a VM with a vCPU and memory, runs a guest in it, and lets it go.
  private static func oneMachine(_ program: Program) throws {
    var machine = try Machine(on: try KVM())
    try machine.load(program)
    var devices = Devices()
    devices.supply = [5]
    let end = try machine.run(&devices)
    #expect(end == .finished)
    let sum = try machine.vm.word(at: RealMode.data)
    #expect(sum == 5)
  }

  @Test("leave no descriptor, mapping or thread behind, a thousand of them", .bounded)
  func thousand() async {
    await #expect(processExitsWith: .success) {
      let program = try ResourceTests.program(exits: 1)
      // The first ones fill the allocator's caches and whatever else is made once.
      for _ in 0..<50 { try ResourceTests.oneMachine(program) }
      let before = Holdings.now()
      for _ in 0..<1000 { try ResourceTests.oneMachine(program) }
      let after = Holdings.now()
      after.expectNoMore(than: before)
    }
  }

  @Test("leave nothing behind either when they could not be made", .bounded)
  func failed() async {
    await #expect(processExitsWith: .success) {
      func attempt() throws {
        // The policy refuses when the VM and its vCPU are there already; the memory, when it is.
        let kvm = try KVM()
        do {
          _ = try Machine(unproved: Autoload(subject: .gsBase), on: kvm)
          Issue.record("the machine was made")
        } catch is PolicyError {}
        var vm = try kvm.makeVM()
        for pages in [1, 1 << 39] { try? vm.addMemory(at: 0x1000, count: pages * 4096) }
      }
      for _ in 0..<10 { try attempt() }
      let before = Holdings.now()
      for _ in 0..<100 { try attempt() }
      let after = Holdings.now()
      after.expectNoMore(than: before)
    }
  }

  /// A machine that can stand in an array.
  private final class Resident {
    var machine: Machine<NoPolicy>
    var devices = Devices()

    init(_ program: Program, supply: [UInt8]) throws {
      machine = try Machine(on: try KVM())
      try machine.load(program)
      devices.supply = supply
    }
  }

  @Test("run 64 at a time, each in its own memory", .bounded)
  func sixtyFour() throws {
    let program = try Self.program(exits: 10)
    let residents = try (1...64).map { try Resident(program, supply: Array(repeating: UInt8($0), count: 10)) }
    for resident in residents {
      let end = try resident.machine.run(&resident.devices)
      #expect(end == .finished)
    }
    for (index, resident) in residents.enumerated() {
      let sum = try resident.machine.vm.word(at: RealMode.data)
      #expect(sum == 10 * UInt32(index + 1))
      #expect(resident.machine.counters.byKind == [.portIn: 10, .halt: 1])
    }
  }

  @Test("have exits that KVM's own statistics count as well", .needs(.binaryStatistics))
  func statistics() throws {
    var machine = try Machine(on: try KVM())
    try machine.load(Self.program(exits: 200))
    let before = try machine.vcpu.statistics()?.exits
    var devices = Devices()
    devices.supply = Array(repeating: 1, count: 200)
    let end = try machine.run(&devices)
    #expect(end == .finished)
    let after = try machine.vcpu.statistics()?.exits
    #expect(machine.counters.total == 201)
    let (first, last) = (try #require(before), try #require(after))
    #expect(last - first >= machine.counters.total)
  }

  @Test("have statistics of the VM as well, with names and values", .needs(.binaryStatistics))
  func vmStatistics() throws {
    let vm = try KVM().makeVM()
    let values = try vm.statistics()?.values ?? [:]
    #expect(!values.isEmpty)
    #expect(values.allSatisfy { !$0.key.isEmpty && !$0.value.isEmpty })
  }
}
