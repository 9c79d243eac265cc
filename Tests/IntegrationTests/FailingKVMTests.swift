// A KVM that fails is not a KVM that has none: what cannot be read is an error, never an absence. The failure is a real
// one: the descriptor comes to stand for a file that takes no request at all (open(2), O_PATH: EBADF).

import CKVM
import Glibc
import GuestImages
import Measurement
import SystemPackage
import Testing

@testable import Experiments
@testable import Hypervisor

/// A place on the file system, behind which no request goes anywhere.
private struct DeadEnd: ~Copyable {
  private let descriptor: CInt

  init() throws {
    // Safe: a plain call; O_PATH is 0o10000000 on x86-64 (asm-generic/fcntl.h), and glibc hides it.
    descriptor = unsafe open("/", 0o1000_0000 | O_CLOEXEC)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
  }

  deinit { close(descriptor) }

  /// From now on every request to the owner fails with EBADF.
  func replace(_ owner: borrowing Descriptor) { dup2(descriptor, owner.raw) }
}

@Suite("Where KVM fails", .needsKVM)
struct FailingKVMTests {
  private func error(_ body: () throws -> Void) -> KVMError? {
    do { try body() } catch { return KVMError(behind: error) }
    return nil
  }

  @Test("a question to the system is not answered with no")
  func system() throws {
    let kvm = try KVM()
    try DeadEnd().replace(kvm.descriptor)
    #expect(error { _ = try kvm.has(.msrFilter) } == KVMError(.request(.checkExtension), .badFileDescriptor))
    #expect(error { _ = try kvm.featureMSR(.archCapabilities) } == KVMError(.request(.getMSRs), .badFileDescriptor))
    #expect(error { _ = try GuestContract(offeredBy: kvm) } != nil)
    #expect(error { _ = try HostAbilities.prove(.specCtrl, on: kvm) } != nil)
    #expect(error { _ = try RegisterProof.prove(.specCtrl, on: kvm) } != nil)
  }

  @Test("nothing of a vCPU is taken for absent")
  func vcpu() throws {
    let vm = try KVM().makeVM()
    let cpu = try vm.makeVCPU()
    #expect(try cpu.readIfPresent(TestHost.missingMSR) == nil || TestHost.vendor == .none, "this one is absent")
    try DeadEnd().replace(cpu.descriptor)
    #expect(error { _ = try cpu.readIfPresent(.specCtrl) } == KVMError(.request(.getMSRs), .badFileDescriptor))
    #expect(error { _ = try cpu.tscFrequency() } == KVMError(.request(.getTSCFrequency), .badFileDescriptor))
    #expect(error { _ = try cpu.physicalAddress(ofLinear: 0) } == KVMError(.request(.translate), .badFileDescriptor))
    #expect(error { _ = try cpu.state(with: []) } != nil)
    for policy in [PolicyName.emulate, .shadow, .passthrough, .manual, .autoload] {
      #expect(error { _ = try policy.subjectValue(in: cpu) } == KVMError(.request(.getMSRs), .badFileDescriptor))
    }
  }

  @Test("an entry is not known to fail, no other is taken in its place, and a report says so of all that was not tried")
  func entries() throws {
    let kvm = try KVM()
    try DeadEnd().replace(kvm.descriptor)
    let proof = try EntryProof.prove(.breakpoint, on: kvm)
    #expect(proof.result == .unknown(.call(KVMError(.request(.createVM), .badFileDescriptor))))
    #expect(!proof.works && proof.seen.hasPrefix("not known: KVM refused KVM_CREATE_VM"))
    #expect {
      try EntryProof.proveBest(of: [.syscall, .breakpoint], on: kvm)
    } throws: { error in
      guard case ExperimentError.unproved(let untried) = error else { return false }
      return untried.map(\.what) == ["entry syscall"]
    }
    let trials = try HostTrials.prove(on: kvm)
    let report = HostReport(trials: trials)
    #expect {
      try trials.complete()
    } throws: { error in
      guard case ExperimentError.unproved(let untried) = error else { return false }
      return untried.count == 2 + Entry.ringSwitching.count
    }
    let (entries, policies) = (try #require(report.entries), try #require(report.policies))
    #expect(entries.count == Entry.ringSwitching.count && policies.count == PolicyName.allCases.count)
    for fact in [try #require(report.specCtrlProof)] + Array(entries.values) + Array(policies.values) {
      #expect(fact.works == nil && fact.seen.hasPrefix("not known: "))
    }
  }

  @Test("the VM's clock is not taken for absent")
  func clock() throws {
    var vm = try KVM().makeVM()
    #expect(try vm.clock() != nil)
    try DeadEnd().replace(vm.descriptor)
    #expect(error { _ = try vm.clock() } == KVMError(.request(.getClock), .badFileDescriptor))
    do {
      _ = try vm.setClock(to: 1)
      Issue.record("it was set")
    } catch { #expect(error == KVMError(.request(.setClock), .badFileDescriptor)) }
  }

  @Test("memory of a VM that it does not give up stays mapped, is told once, and the program goes on")
  func memory() throws {
    let count = 3 * GuestPage.size
    let address: UInt64
    let cpu: VirtualCPU
    do {
      var vm = try KVM().makeVM()
      cpu = try vm.makeVCPU()
      try vm.addMemory(at: 0x5000, count: count)
      try vm.write([0x5a], at: 0x5000)
      address = try #require(vm.slots[0]?.region(flags: 0).userspace_addr)
      try DeadEnd().replace(vm.descriptor)
    }
    // Safe: that it is still mapped is what is tested, by the kernel's own account before it is touched.
    let start = address.hexDigits(1)
    let maps = HostFiles().text("proc/self/maps", limit: 4 << 20) ?? ""
    try #require(maps.split(separator: "\n").contains { $0.hasPrefix(start + "-") })
    let byte = unsafe UnsafeRawPointer(bitPattern: UInt(address))?.load(as: UInt8.self)
    #expect(byte == 0x5a)
    let told = VirtualMachine.keptMemory.filter { $0.range.start == 0x5000 && $0.range.count == count }
    #expect(told.map(\.error) == [KVMError(.request(.setUserMemoryRegion), .badFileDescriptor)])
    let warning = VirtualMachine.KeptMemory.warning(of: told)
    #expect(warning?.hasPrefix("\(count) bytes of guest memory stay mapped") == true)
    #expect(VirtualMachine.KeptMemory.warning(of: []) == nil)
    // Safe: nobody else knows the mapping.
    unsafe _ = munmap(UnsafeMutableRawPointer(bitPattern: UInt(address)), count)
    _ = consume cpu
  }

  @Test("memory of a VM without vCPUs is unmapped without asking KVM")
  func memoryWithoutVCPU() throws {
    let count = 5 * GuestPage.size
    let address: UInt64
    do {
      var vm = try KVM().makeVM()
      _ = try vm.makeVCPU()
      try vm.addMemory(at: 0x5000, count: count)
      address = try #require(vm.slots[0]?.region(flags: 0).userspace_addr)
      try DeadEnd().replace(vm.descriptor)
    }
    #expect(!VirtualMachine.keptMemory.contains { $0.range.count == count })
    let end = (address + UInt64(count)).hexDigits(1)
    let maps = HostFiles().text("proc/self/maps", limit: 4 << 20) ?? ""
    #expect(!maps.split(separator: "\n").contains { $0.hasPrefix("\(address.hexDigits(1))-\(end) ") })
  }

  @Test("a guest that cannot be looked at is not said to owe nothing")
  func softException() throws {
    let machine = try Machine(on: try KVM())
    #expect(try !machine.mustRunOn(after: 1))
    try DeadEnd().replace(machine.vcpu.descriptor)
    #expect(error { _ = try machine.mustRunOn(after: 1) } != nil)
  }
}

extension PolicyName {
  /// What the policy of this name says of the subject before the guest has run.
  fileprivate func subjectValue(in cpu: borrowing VirtualCPU) throws -> SubjectValue {
    switch self {
    case .emulate: try Emulate().subjectValue(in: cpu)
    case .shadow: try Shadow().subjectValue(in: cpu)
    case .passthrough: try Passthrough().subjectValue(in: cpu)
    case .manual: try Manual().subjectValue(in: cpu)
    case .autoload: try Autoload().subjectValue(in: cpu)
    case .adaptive: try Adaptive().subjectValue(in: cpu)
    }
  }
}
