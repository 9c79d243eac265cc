// A vCPU's MSRs as the VMM reads and writes them.

import CKVM
import GuestImages
import Hypervisor
import Testing

@Suite("A vCPU's MSRs", .needsKVM)
struct MSRTests {
  private static let msrs: [MSR] = [.sysenterESP, .sysenterEIP, .sysenterCS]

  @Test(
    "hold what is written, in lists longer than KVM takes at once", .holds(.sysenterESP), arguments: [1, 255, 256, 600])
  func longLists(count: Int) throws {
    let vm = try KVM().makeVM()
    var cpu = try vm.makeVCPU()
    // The last write of each register is the one that stays.
    let entries = (1...count).map { MSREntry(Self.msrs[$0 % Self.msrs.count], UInt64($0)) }
    try cpu.writeMSRs(entries)
    let last = Dictionary(entries.map { ($0.msr, $0.value) }, uniquingKeysWith: { $1 })
    let values = try cpu.readMSRs(entries.map(\.msr))
    #expect(values == entries.map { last[$0.msr] })
  }

  @Test("may be read and written none at a time")
  func emptyLists() throws {
    let vm = try KVM().makeVM()
    var cpu = try vm.makeVCPU()
    try cpu.writeMSRs([])
    let values = try cpu.readMSRs([])
    #expect(values.isEmpty)
  }

  @Test(
    "name the one that KVM refuses by its place, also beyond the first 255; those before it are done",
    .missingMSRIsRefused, .holds(.sysenterESP), arguments: [0, 254, 255, 299, 510, 599])
  func refused(index: Int) throws {
    let vm = try KVM().makeVM()
    var cpu = try vm.makeVCPU()
    var entries = (1...600).map { MSREntry(.sysenterESP, UInt64($0)) }
    entries[index] = MSREntry(TestHost.missingMSR, 7)
    do throws(MSRAccessError) {
      try cpu.writeMSRs(entries)
      Issue.record("it was written")
    } catch { #expect(error == .unwritable(entries[index], index: index)) }
    let written = try cpu.read(.sysenterESP)
    #expect(written == UInt64(index))
    do throws(MSRAccessError) {
      _ = try cpu.readMSRs(entries.map(\.msr))
      Issue.record("it was read")
    } catch { #expect(error == .unreadable(TestHost.missingMSR, index: index)) }
  }

  @Test("refuse a value that the register cannot hold, and keep the one before", .holds(.kernelGSBase))
  func refusedValue() throws {
    let vm = try KVM().makeVM()
    var cpu = try vm.makeVCPU()
    try cpu.write(.kernelGSBase, 0x1000)
    let bad = MSREntry(.kernelGSBase, TestHost.nonCanonical)
    do throws(MSRAccessError) {
      try cpu.write(bad.msr, bad.value)
      Issue.record("it was written")
    } catch { #expect(error == .unwritable(bad, index: 0)) }
    let value = try cpu.read(.kernelGSBase)
    #expect(value == 0x1000)
  }
}
