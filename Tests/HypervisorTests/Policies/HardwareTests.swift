// autoload and shadow where KVM uses VMX's lists, or its mask and shadow: which policy runs there, and what it says.

import Registers
import Testing

@testable import Hypervisor

@Suite("A policy that the hardware carries out")
struct HardwareTests {
  private func host(
    _ mode: SpecCtrlMode?, mask: SpecCtrl = [], subject: MSR = .specCtrl, held: Bool = true, ibrsAll: Bool = true
  ) -> HostAbilities {
    HostAbilities(
      subject: subject, register: held ? .held(wrote: 1) : .faulted(wrote: 1), hasIBRSAll: ibrsAll,
      canInterceptMSRs: true, specCtrlMode: mode, hardwareMask: mask)
  }

  private func protection(_ policy: PolicyName, on host: HostAbilities) throws -> Protection {
    guard case .supported(let protection) = policy.support(on: Terms(host)) else {
      throw Refused(description: "\(policy.support(on: Terms(host)))")
    }
    return protection
  }

  private struct Refused: Error, CustomStringConvertible { let description: String }

  @Test(
    "is the hardware's where KVM's mode is that of its mechanism, about SPEC_CTRL, and a model everywhere else",
    arguments: [
      (SpecCtrlMode.byHand, PolicyMechanism.model, PolicyMechanism.model), (.lists, .hardware, .model),
      (.maskAndShadow, .model, .hardware), (nil, .model, .model),
    ] as [(SpecCtrlMode?, PolicyMechanism, PolicyMechanism)])
  func mechanisms(mode: SpecCtrlMode?, lists: PolicyMechanism, shadow: PolicyMechanism) {
    #expect(host(mode).mechanism(of: .autoload) == lists)
    #expect(host(mode).mechanism(of: .shadow) == shadow)
    #expect(host(mode, held: false).mechanism(of: .autoload) == .model)
    #expect(host(mode, subject: .standIn).mechanism(of: .shadow) == .model)
    for policy in [PolicyName.passthrough, .emulate, .manual, .adaptive] {
      #expect(host(mode).mechanism(of: policy) == nil)
    }
  }

  @Test("by VMX's lists leaves the register to the guest, intercepts nothing, and says that it is the hardware")
  func lists() throws {
    let protection = try protection(.autoload, on: host(.lists))
    #expect(protection.level == .guest && protection.reason.contains("hardware: spec_ctrl_mode 1"))
    #expect(try self.protection(.autoload, on: host(.byHand)).reason.contains("hardware") == false)
    #expect(HardwareLists().intercepts.isEmpty && HardwareLists.mechanism == .hardware && Autoload.mechanism == .model)
  }

  @Test("by VMX's mask keeps the mask's bits on, whatever policy leaves the register to the guest")
  func mask() throws {
    let host = host(.maskAndShadow, mask: [.ibrs, .bhiDisS])
    for policy in [PolicyName.shadow, .passthrough, .manual, .autoload] {
      let protection = try protection(policy, on: host)
      #expect(protection.level == .always, "\(policy)")
      #expect(
        protection.reason.hasPrefix("IBRS, BHI_DIS_S are kept on by VMX's mask, without an exit (spec_ctrl_mode 2, "),
        "\(policy): \(protection.reason)")
      #expect(protection.reason.contains("spec_ctrl_mask 0x401"))
    }
    #expect(HardwareShadow().intercepts.isEmpty)
    #expect(try protection(.adaptive, on: host).level == .always)
  }

  @Test("protects less where the mask is without IBRS, or the processor without IBRS_ALL")
  func lesserMask() throws {
    #expect(try protection(.shadow, on: host(.maskAndShadow, mask: [.bhiDisS])).level == .maskedBits)
    #expect(try protection(.shadow, on: host(.maskAndShadow, mask: [.ibrs], ibrsAll: false)).level == .maskedBits)
    #expect(try protection(.shadow, on: host(.maskAndShadow)).level == .guest)
    #expect(try protection(.passthrough, on: host(.maskAndShadow, mask: [.bhiDisS])).level == .maskedBits)
  }

  @Test("is refused on a host whose KVM does not use its mechanism")
  func refused() {
    for support in [HardwareLists.support(on: Terms(host(.byHand))), HardwareShadow.support(on: Terms(host(.lists)))] {
      guard case .refused(let reason) = support else {
        Issue.record("not refused")
        continue
      }
      #expect(reason.contains("spec_ctrl_mode"))
    }
  }

  @Test("tells the guest SPEC_CTRL, as the model does")
  func contract() {
    let offer = GuestContract(cpuid: CPUIDModel(), archCapabilities: [])
    #expect(HardwareShadow().contract(from: offer).cpuid.has(.specCtrl))
    #expect(Shadow().contract(from: offer) == HardwareShadow().contract(from: offer))
  }
}
