// The second view of guest memory, and KVM's log of what the guest has written: exactly that, whoever's doing the write
// was.
// Facts: KVM API document, section 4.8 (KVM_GET_DIRTY_LOG).

import CKVM
import GuestImages
import SystemPackage
import TestSupport
import Testing

@testable import Experiments
@testable import Hypervisor

@Suite("A view of guest memory", .needsKVM, .bounded)
struct MemoryViewTests {
  /// A real-mode guest that writes a byte at each of these addresses, and rings the doorbell after each group.
  private func machine(writing groups: [[UInt64]]) throws -> Machine<NoPolicy> {
    var machine = try Machine(on: try KVM())
    try machine.load(
      RealMode.program { asm in
        for group in groups {
          for address in group {
            asm.mov(.ax, address >> 4)
            asm.mov(.ds, .ax)
            asm.mov(.byte, .absolute(address & 0xf), 0x77)
          }
          asm.out(Port.doorbell, .al)
        }
      })
    return machine
  }

  @Test("is told exactly the pages that the guest has written since it last asked")
  func log() throws {
    let groups: [[UInt64]] = [
      [0x9000, 0x9fff, 0x1_2345], [], [0x9004], [0x1_f000, 0x1_fff0, 0x0a000, 0x1_0000], [0x9000],
    ]
    var machine = try machine(writing: groups)
    try machine.vm.setDirtyLog(true)
    var view = try machine.vm.makeMemoryView()
    _ = try view.takeDirtyPages()
    var devices = Devices()
    for group in groups {
      _ = try machine.run(&devices)
      let pages = try view.takeDirtyPages()
      #expect(pages.map(\.rawValue) == Set(group.map { $0 & ~0xfff }).sorted())
      let again = try view.takeDirtyPages()
      #expect(again.isEmpty)
    }
  }

  @Test("is not told what the VMM writes, and sees it all the same")
  func vmm() throws {
    var machine = try machine(writing: [[0x9000]])
    try machine.vm.setDirtyLog(true)
    var view = try machine.vm.makeMemoryView()
    _ = try view.takeDirtyPages()
    try machine.vm.write([1, 2, 3], at: 0xb000)
    let none = try view.takeDirtyPages()
    #expect(none.isEmpty)
    #expect(view.page(at: 0xb000)?.bytes.prefix(4) == [1, 2, 3, 0])
    var devices = Devices()
    _ = try machine.run(&devices)
    #expect(view.page(at: 0x9000)?.bytes.first == 0x77)
    let expected = try machine.vm.read(4096, at: 0x9000)
    #expect(view.page(at: 0x9000)?.bytes == expected)
    for address in [0x2_0000, 0x9001, 0x1_f001, .max, .max - 4095] as [UInt64] {
      #expect(view.page(at: GuestPhysicalAddress(address)) == nil)
    }
  }

  @Test("is told the pages of every slot")
  func slots() throws {
    var machine = try machine(writing: [[0x9000], [0x1_1000]])
    try machine.vm.addMemory(at: 0x1000_0000, count: 65 * 4096)
    try machine.vm.setDirtyLog(true)
    var view = try machine.vm.makeMemoryView()
    _ = try view.takeDirtyPages()
    var devices = Devices()
    for page in [0x9000, 0x1_1000] as [GuestPhysicalAddress] {
      _ = try machine.run(&devices)
      let pages = try view.takeDirtyPages()
      #expect(pages == [page])
    }
  }

  @Test("is told what the delivery of an exception writes: the kernel's stack, for a guest that is entered by INT3")
  func exceptions() throws {
    let entries = try [Entry.breakpoint, .undefined].filter { try EntryProof.prove($0, on: try KVM()).works }
    for entry in entries {
      var machine = try Machine(on: try KVM())
      try machine.load(GuestImage(Workload(.bare), entry: entry), iterations: [5, 5], pausingBefore: 1)
      try machine.vm.setDirtyLog(true)
      var view = try machine.vm.makeMemoryView()
      _ = try view.takeDirtyPages()
      var ports = GuestPorts(awaitingPause: true)
      for isSecond in [false, true] {
        let before = try machine.vm.contents()
        _ = try machine.run(&ports)
        let after = try machine.vm.contents()
        let changed = Set(before.keys.filter { before[$0] != after[$0] })
        let logged = Set(try view.takeDirtyPages())
        #expect(changed.isSubset(of: logged), "\(entry): \(changed.subtracting(logged)) were written and not logged")
        // A write that changes nothing is one, too: the stack's, always the same frame.
        #expect(logged.contains(0x7000), "the kernel's stack")
        #expect(logged.contains(GuestPhysicalAddress(Layout.samples)))
        // Tables, of which the processor sets the accessed bits; the stacks; what the guest writes. A KVM may log the
        // user's text, too, which the guest only runs: it maps the page writable at once.
        let possible = Set(
          ([0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x7000, 0x2_0000, 0x2_9000, Layout.mailbox, Layout.samples]
            as [UInt64]).map {
              GuestPhysicalAddress($0)
            })
        #expect(logged.isSubset(of: possible), "\(entry), second part \(isSecond): \(logged.subtracting(possible))")
      }
    }
  }

  @Test("is told nothing where the log is off")
  func off() throws {
    var machine = try machine(writing: [[0x9000], [0xa000]])
    var view = try machine.vm.makeMemoryView()
    func refused() -> Bool {
      do throws(KVMError) { _ = try view.takeDirtyPages() } catch { return error.code == .noSuchFileOrDirectory }
      return false
    }
    #expect(refused())
    try machine.vm.setDirtyLog(true)
    #expect(!refused())
    var devices = Devices()
    _ = try machine.run(&devices)
    try machine.vm.setDirtyLog(false)
    #expect(refused())
    // And the guest runs on with its memory as it was.
    _ = try machine.run(&devices)
    #expect(view.page(at: 0x9000)?.bytes.first == 0x77 && view.page(at: 0xa000)?.bytes.first == 0x77)
  }

  private func orphan() throws -> MemoryView {
    var machine = try machine(writing: [[0x9000]])
    try machine.vm.setDirtyLog(true)
    let view = try machine.vm.makeMemoryView()
    var devices = Devices()
    _ = try machine.run(&devices)
    return view
  }

  @Test("outlives its VM with what was there last, and can ask no more")
  func outlives() throws {
    var view = try orphan()
    #expect(view.page(at: 0x9000)?.bytes.first == 0x77)
    #expect(view.page(at: 0xa000)?.isZero == true)
    do throws(KVMError) {
      _ = try view.takeDirtyPages()
      Issue.record("a VM that is gone answered")
    } catch { #expect(error.code == .noSuchFileOrDirectory) }
  }
}

extension VirtualMachine {
  /// Every page.
  fileprivate func contents() throws -> [GuestPhysicalAddress: [UInt8]] {
    var contents: [GuestPhysicalAddress: [UInt8]] = [:]
    for address in memory().flatMap(\.pageAddresses) { contents[address] = try read(GuestPage.size, at: address) }
    return contents
  }
}
