// What a guest's first touch of its memory costs the host: nothing, since it was there before.

import GuestImages
import Hypervisor
import TestSupport
import Testing

@testable import Experiments

@Suite("The memory of a loaded image", .needsKVM)
struct FirstTouchTests {
  /// How many page faults the host has while a byte of each page up to an address is read.
  private func faults(reading vm: borrowing VirtualMachine, upTo end: Int) throws -> Int {
    // What reading itself touches for the first time.
    _ = try vm.read(1, at: GuestPhysicalAddress(0))
    let before = PageFaults.ofThisThread
    for address in stride(from: 0, to: end, by: Layout.pageSize) {
      _ = try vm.read(1, at: GuestPhysicalAddress(UInt64(address)))
    }
    return PageFaults.ofThisThread - before
  }

  @Test("is there before the guest runs, as far as it can touch it: no page costs the host a fault then")
  func populated() throws {
    let image = try GuestImage(Workload(.bare), entry: .none)
    for count in [1, 1000, SampleRecord.maximumCount] {
      let kvm = try KVM()
      let policy = Emulate()
      var machine = try Machine(
        on: kvm, policy: policy, terms: .prove(for: policy, on: kvm).acceptingNoProtection())
      try machine.load(image, iterations: [UInt32](repeating: 1, count: count))
      let end = Int(Layout.samples) + count * SampleRecord.size
      // Of another page that this program happens to touch for the first time there are few.
      #expect(try faults(reading: machine.vm, upTo: end) <= 4, "\(count) samples")
    }
  }

  @Test("would cost a fault for each page else")
  func unpopulated() throws {
    var vm = try KVM().makeVM()
    try vm.addMemory(at: 0, count: Layout.memorySize)
    // The kernel may map some pages around a fault at once, but not all.
    #expect(try faults(reading: vm, upTo: Layout.memorySize) > 8)
  }
}
