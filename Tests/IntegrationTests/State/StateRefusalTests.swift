// A state that a machine does not take: what of it, by name.

import CKVM
import GuestImages
import TestSupport
import Testing

@testable import Experiments
@testable import Hypervisor

@Suite("A state that this host does not take", .needsKVM, .bounded)
struct StateRefusalTests {
  /// The state of a guest that has not begun.
  private func state() throws -> MachineState {
    var machine = try Machine(on: try KVM(), policy: Passthrough(subject: .kernelGSBase))
    try machine.load(GuestImage(Workload(.bare), entry: .none), iterations: [1])
    return try machine.state(on: try KVM())
  }

  @Test("is taken while nothing is wrong with it, and is the same when it is taken again")
  func whole() throws {
    let state = try state()
    #expect(try refusal(of: state) == nil)
    var again = try machine(from: state, [], under: Passthrough(subject: .kernelGSBase))
    let second = try again.state(on: try KVM())
    // The clock goes on.
    func still(_ cpu: VirtualCPUState) -> VirtualCPUState {
      var cpu = cpu
      cpu.msrs.removeAll { [.timeStampCounter, .tscAdjust].contains($0.msr) }
      return cpu
    }
    #expect(second.memory == state.memory && second.contract == state.contract)
    let parts = zip(Mirror(reflecting: still(state.cpu)).children, Mirror(reflecting: still(second.cpu)).children)
    for (first, second) in parts { #expect("\(first)" == "\(second)") }
  }

  @Test("for an MSR that it does not have names that, and leaves it out where it is 0", .missingMSRIsRefused)
  func missingMSR() throws {
    let state = try state()
    let (first, second) = (TestHost.missingMSR, MSR(TestHost.missingMSR.rawValue + 1))
    var cpu = state.cpu
    cpu.msrs += [MSREntry(first, 0), MSREntry(second, 0)]
    #expect(try refusal(of: state.with(cpu: cpu)) == nil)
    cpu.msrs = state.cpu.msrs + [MSREntry(first, 5), MSREntry(second, 0), MSREntry(second, .max)]
    let error = try refusal(of: state.with(cpu: cpu))
    #expect(
      error == .msrs([MSREntry(first, 5), MSREntry(second, .max)]), "both, with the values that they should have")
    #expect("\(try #require(error))".contains("\(first.hex)) = 0x5, "))
  }

  @Test("for a value that an MSR does not take names that")
  func refusedValue() throws {
    let state = try state()
    var cpu = state.cpu
    let index = try #require(cpu.msrs.firstIndex { $0.msr == .lstar })
    cpu.msrs[index].value = TestHost.nonCanonical
    #expect(try refusal(of: state.with(cpu: cpu)) == .msrs([MSREntry(.lstar, TestHost.nonCanonical)]))
  }

  @Test("for a value that KVM drops in silence names that MSR: success proves nothing")
  func dropped() throws {
    guard case .dropped? = TestHost.proof(of: .specCtrl) else { return }
    let state = try state()
    var cpu = state.cpu
    cpu.msrs.append(MSREntry(.specCtrl, 1))
    #expect(try refusal(of: state.with(cpu: cpu)) == .msrs([MSREntry(.specCtrl, 1)]))
  }

  @Test("leaves out what KVM refuses of a guest that was not told of it: IA32_PERF_CAPABILITIES, VMX's to the last")
  func untold() throws {
    let state = try state()
    var cpu = state.cpu
    let msrs = [MSR.perfCapabilities, MSR.vmxCapabilities.lowerBound, MSR.vmxCapabilities.upperBound]
    cpu.msrs = msrs.map { MSREntry($0, 0x2000) }
    for isTold in [false, true] {
      var told = state.contract
      let pdcm: UInt32 = 1 << 15
      let ecx = (told.cpuid[1]?.ecx ?? 0) & ~pdcm | (isTold ? pdcm : 0)
      told.cpuid[1]?.ecx = ecx
      told.cpuid.set(.vmx, to: isTold)
      #expect(state.with(cpu: cpu).with(contract: told).omittedMSRs == (isTold ? [] : Set(msrs)))
    }
  }

  @Test("for what the guest would be told differently says what that is")
  func contract() throws {
    let state = try state()
    func said(_ change: (inout GuestContract) -> Void) throws -> String {
      var told = state.contract
      change(&told)
      guard case .contract(let difference)? = try refusal(of: state.with(contract: told)) else { return "nothing" }
      return difference
    }
    let first = state.contract.cpuid
    #expect(
      try said { $0.archCapabilities = ArchCapabilities(rawValue: $0.archCapabilities.rawValue ^ 2) }.contains(
        "IA32_ARCH_CAPABILITIES 0x"))
    let has = try #require(first.features.first { $0 != .archCapabilities })
    let lacks = try #require([CPUFeature.vSpecCtrl, .sbpb, .specCtrl].first { !first.has($0) })
    #expect(try said { $0.cpuid.set(has, to: false) } == "with \(has.name)")
    #expect(try said { $0.cpuid.set(lacks, to: true) }.contains("without \(lacks.name)"))
    #expect(try said { $0.cpuid[0]?.eax ^= 0x100 } == "CPUID leaf 0x0, subleaf 0")
    #expect(try said { $0.cpuid[0] = nil } == "CPUID leaf 0x0, subleaf 0")
    #expect(
      try said { $0.cpuid[0x4fff_ffff] = CPUIDEntry(function: 0x4fff_ffff) } == "CPUID leaf 0x4fffffff, subleaf 0")
    #expect(try said { $0.cpuid.entries.swapAt(0, 1) } == "the order of CPUID's leaves")
  }

  @Test("for a structure of another length names that")
  func lengths() throws {
    let state = try state()
    let structures: [(WritableKeyPath<VirtualCPUState, ABIBytes>, String)] = [
      (\.registers, "registers"), (\.specialRegisters, "special registers"),
      (\.xsave, "floating-point and vector registers"), (\.debugRegisters, "debug registers"),
      (\.multiprocessorState, "MP state"), (\.events, "pending events"),
    ]
    for (path, name) in structures {
      for change in [{ $0 + [0] }, { Array($0.dropLast()) }, { _ in [] }] as [([UInt8]) -> [UInt8]] {
        var cpu = state.cpu
        cpu[keyPath: path] = ABIBytes(bytes: change(cpu[keyPath: path].bytes))
        #expect(try refusal(of: state.with(cpu: cpu)) == .size(name))
      }
    }
    var cpu = state.cpu
    guard cpu.extendedControlRegisters != nil else { return }
    cpu.extendedControlRegisters = ABIBytes(bytes: [1])
    #expect(try refusal(of: state.with(cpu: cpu)) == .size("extended control registers"))
    cpu.registers = ABIBytes(bytes: [])
    #expect(cpu.rip == 0)
  }

  @Test("for bytes that no processor holds is refused, or is held as it is, and never half of it")
  func noise() throws {
    let state = try state()
    let structures: [WritableKeyPath<VirtualCPUState, ABIBytes>] = [
      \.registers, \.specialRegisters, \.xsave, \.debugRegisters, \.multiprocessorState, \.events,
    ]
    for path in structures {
      for byte in [0xff, 0x5a] as [UInt8] {
        var cpu = state.cpu
        cpu[keyPath: path] = ABIBytes(bytes: [UInt8](repeating: byte, count: cpu[keyPath: path].bytes.count))
        let other = state.with(cpu: cpu)
        if try refusal(of: other) == nil {
          let machine = try machine(from: other, [], under: Passthrough(subject: .kernelGSBase))
          let held = try machine.vcpu.state(with: [])
          #expect(held[keyPath: path] == cpu[keyPath: path])
        }
      }
    }
  }

  @Test("for memory that it cannot have says so")
  func memory() throws {
    let state = try state()
    for (range, other) in [(4096, 8192), (4096, 4096)].map({
      (GuestPhysicalRange(start: 0, count: $0.1), GuestPhysicalRange(start: 0, count: $0.0))
    }) {
      #expect(throws: GuestMemoryError.overlaps(other, existing: range)) {
        _ = try machine(
          from: state.with(memory: [range, other]), [], under: Passthrough(subject: .kernelGSBase))
      }
    }
  }
}
