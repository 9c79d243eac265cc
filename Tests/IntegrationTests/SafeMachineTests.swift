// A machine made with the library alone: what the command line asks of a host, the library asks as well.

import Experiments
import Testing

@testable import Hypervisor

@Suite("A machine", .needsKVM)
struct SafeMachineTests {
  /// The error that a policy's machine is not made with; nil when it is made.
  private func refusal<P: Policy & ~Copyable>(
    _ policy: consuming P, on kvm: borrowing KVM, _ host: HostAbilities? = nil, accepting: Bool = false,
    contract: GuestContract? = nil
  ) throws -> PolicyError? {
    let terms: Terms
    if let host { terms = Terms(host) } else { terms = try .prove(for: policy, on: kvm) }
    do {
      _ = try Machine(
        on: kvm, policy: policy, terms: terms.acceptingNoProtection(accepting), contract: contract)
    } catch let error as PolicyError { return error }
    return nil
  }

  private func abilities(_ subject: MSR = .specCtrl, held: Bool, ibrsAll: Bool) -> HostAbilities {
    HostAbilities(
      subject: subject, register: held ? .held(wrote: 1) : .faulted(wrote: 1), hasIBRSAll: ibrsAll,
      canInterceptMSRs: true)
  }

  @Test("is not made under a policy that this host cannot honour: the reason is what was proved")
  func unsupported() throws {
    let kvm = try KVM()
    let proof = try RegisterProof.prove(.specCtrl, on: kvm)
    for error in [
      try refusal(Passthrough(), on: kvm), try refusal(Autoload(), on: kvm), try refusal(Manual(), on: kvm),
    ] {
      guard !proof.isHeld else {
        #expect(error == nil)
        continue
      }
      guard case .refused(_, let reason) = error else {
        Issue.record("\(error.map { "\($0)" } ?? "the machine was made")")
        continue
      }
      #expect(reason.contains(proof.text))
    }
    // Also with the consent, which is another matter.
    let refused = try refusal(Passthrough(), on: kvm, abilities(held: false, ibrsAll: true), accepting: true)
    guard case .refused(policy: "passthrough", _) = refused else {
      Issue.record("\(refused.map { "\($0)" } ?? "the machine was made")")
      return
    }
  }

  @Test("is made under a policy that protects nothing here only where that is accepted, and then says so")
  func unprotected() throws {
    let kvm = try KVM()
    let host = try HostAbilities.prove(.specCtrl, on: kvm)
    for policy in [PolicyName.emulate, .shadow] {
      let expected = try policy.protection(on: Terms(host))
      let error = try policy.make(on: kvm, terms: Terms(host), for: Refusal(accepting: false))
      #expect(error == (expected.level == .none ? .unprotected(policy: policy.rawValue, reason: expected.reason) : nil))
      #expect(try policy.make(on: kvm, terms: Terms(host), for: Refusal(accepting: true)) == nil)
    }
    let machine = try Machine(on: kvm, policy: Emulate(), acceptingNoProtection: true)
    let expected = try PolicyName.emulate.protection(on: Terms(host))
    #expect(machine.protection == expected)
  }

  private struct Refusal: PolicyVisitor {
    let accepting: Bool

    func visit<P: Policy & ~Copyable>(_ policy: consuming P, on kvm: borrowing KVM) throws -> PolicyError? {
      do { _ = try Machine(on: kvm, policy: policy, acceptingNoProtection: accepting) } catch let error as PolicyError {
        return error
      }
      return nil
    }
  }

  @Test("under emulate keeps IBRS on wherever the host is known to let it, or is not made at all")
  func keepsIBRSOn() throws {
    let kvm = try KVM()
    let proved = try HostAbilities.prove(.specCtrl, on: kvm)
    // Also on a host that cannot: then the register does not hold what was set.
    for host in [proved, abilities(held: true, ibrsAll: true)] where host.canKeepIBRSOn {
      do {
        let machine = try Machine(on: kvm, policy: Emulate(), terms: Terms(host))
        let value = try machine.vcpu.read(.specCtrl)
        #expect(value & SpecCtrl.ibrs.rawValue != 0 && machine.protection.level == .always)
      } catch is PolicyError { #expect(!proved.canKeepIBRSOn) }
    }
  }

  @Test("is made by what was proved about its own MSR, not another", .holds(.kernelGSBase))
  func otherSubject() throws {
    let kvm = try KVM()
    let host = try HostAbilities.prove(.kernelGSBase, on: kvm)
    #expect(try refusal(Passthrough(subject: .kernelGSBase), on: kvm, host) == nil)
    guard case .refused(_, let reason) = try refusal(Emulate(), on: kvm, host, accepting: true) else {
      Issue.record("the machine was made")
      return
    }
    #expect(reason.contains("IA32_SPEC_CTRL") && reason.contains("IA32_KERNEL_GS_BASE"))
  }

  @Test("whose guest would be told an IBRS_ALL that is not there is made only where that is accepted")
  func toldIBRSAll() throws {
    let kvm = try KVM()
    var contract = try GuestContract(offeredBy: kvm)
    contract.cpuid.set(.archCapabilities, to: true)
    contract.archCapabilities.insert(.ibrsAll)
    let policy = { Emulate(subject: .kernelGSBase) }
    let without = abilities(.kernelGSBase, held: true, ibrsAll: false)
    guard case .unprotected(_, let reason) = try refusal(policy(), on: kvm, without, contract: contract) else {
      Issue.record("the machine was made")
      return
    }
    #expect(reason.contains("told IBRS_ALL"))
    #expect(try refusal(policy(), on: kvm, without, accepting: true, contract: contract) == nil)
    let with = abilities(.kernelGSBase, held: true, ibrsAll: true)
    #expect(try refusal(policy(), on: kvm, with, contract: contract) == nil)
  }

  @Test("under adaptive never opens a register where that was not accepted, whatever it would cost")
  func adaptive() throws {
    let costs = AdaptiveCosts(access: 10, exit: 2, price: 50, wholeExit: 100)
    for accepts in [false, true] {
      let terms = Terms(
        abilities(held: true, ibrsAll: true), acceptsUnprotected: accepts, adaptiveCosts: costs)
      var policy = Adaptive()
      try policy.settle(on: terms)
      #expect(policy.opens == accepts)
    }
  }

  @Test("is not made on terms that do not say all that its policy must know")
  func unknown() throws {
    let kvm = try KVM()
    let host = abilities(.kernelGSBase, held: true, ibrsAll: false)
    /// Why a machine is not made on these terms, nil when it is.
    func refusal<P: Policy & ~Copyable>(_ policy: consuming P, _ terms: Terms) throws -> String? {
      do {
        _ = try Machine(on: kvm, policy: policy, terms: terms.acceptingNoProtection())
      } catch PolicyError
        .refused(_, let reason)
      { return reason }
      return nil
    }
    #expect(try refusal(Adaptive(subject: .kernelGSBase), Terms(host))?.contains("not measured") == true)
    let costs = AdaptiveCosts(access: 10, exit: 2, price: 50, wholeExit: 100)
    #expect(try refusal(Adaptive(subject: .kernelGSBase), Terms(host).adding(costs)) == nil)
    let listing = { Autoload(subject: .kernelGSBase, listing: [.kernelGSBase, .sysenterESP]) }
    #expect(listing().otherRegisters == [.sysenterESP])
    #expect(try refusal(listing(), Terms(host))?.contains("were not proved") == true)
    #expect(try refusal(listing(), Terms(host).adding(.held(wrote: 1), of: .sysenterESP)) == nil)
    #expect(
      try refusal(listing(), Terms(host).adding(.faulted(wrote: 1), of: .sysenterESP))?.contains("#GP") == true)
  }
}
