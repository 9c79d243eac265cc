// The decision whether a guest may move to a host, taken before anything stops. The rules and their reasons:
// docs/migration.md.
//
// Facts: the thread of 2018-02-16 on the kernel's mailing list, "x86/speculation: Support Enhanced IBRS on future
// CPUs"; Intel SDM vol. 4, IA32_SPEC_CTRL; Linux arch/x86/kvm/cpuid.h (guest_has_spec_ctrl_msr,
// guest_has_pred_cmd_msr), arch/x86/kvm/vmx/vmx.c (a guest whose writes are no longer intercepted can set every bit
// that the processor has, told or not).

public import Hypervisor

/// Whether a guest may move to a host.
public enum Decision: Equatable, Sendable {
  /// It may, with this protection.
  case allowed(Protection)
  /// It may only with the user's consent: it would be less protected than it believes, for this reason.
  case unprotected(String)
  /// It may not: something that it uses would fail.
  case refused(String)

  /// The decision about a guest that is to continue on a host under a policy.
  ///
  /// - Parameters:
  ///   - accepting: Whether the user accepts that the policy gives up a protection there.
  ///   - costs: What `adaptive` compares there; nil if unknown.
  public init(
    of guest: MovingGuest, to host: HostOffer, under policy: PolicyName, accepting: Bool = false,
    costs: AdaptiveCosts? = nil
  ) {
    let terms = Terms(host.abilities, acceptsUnprotected: accepting, adaptiveCosts: costs)
    let offered = host.contract(under: policy, on: terms)
    if let reason = guest.refusal(at: host, telling: offered, under: policy) {
      self = .refused(reason)
      return
    }
    let protection: Protection
    switch policy.support(on: terms) {
    case .refused(let reason):
      self = .refused("policy \(policy.rawValue) cannot run at the destination: \(reason)")
      return
    case .supported(let supported): protection = guest.protection(supported, at: host)
    }
    let losses = guest.losses(at: host, telling: offered, under: policy, protectedBy: protection)
    self = losses.isEmpty ? .allowed(protection) : .unprotected(losses.joined(separator: "; "))
  }

  /// What a guest notices on a host without losing protection: warnings that stay with it.
  public static func warnings(of guest: MovingGuest, at host: HostOffer) -> [String] {
    if guest.contract.cpuid.has(.invariantTSC) { return host.clock == nil ? [unknownClock(at: host)] : [] }
    return guest.changeOfClock(at: host).map { [$0] } ?? []
  }

  /// The warning about a host that does not report the rate of its guests' clock.
  static func unknownClock(at host: HostOffer) -> String {
    "the rate of the time-stamp counter at \(host.name) is not known"
  }

  /// The decision in one word: `allowed`, `unprotected`, `refused`.
  public var text: String {
    switch self {
    case .allowed: "allowed"
    case .unprotected: "unprotected"
    case .refused: "refused"
    }
  }

  /// The reason, in one sentence.
  public var reason: String {
    switch self {
    case .allowed(let protection): protection.reason
    case .unprotected(let reason), .refused(let reason): reason
    }
  }
}

extension MovingGuest {
  /// What would fail on a host, in a sentence; nil if nothing would.
  fileprivate func refusal(
    at host: HostOffer, telling tellable: GuestContract, under policy: PolicyName
  ) -> String? {
    guard host.abilities.subject == subject else {
      return
        "the guest's policy is about \(subject), but the destination's proofs are about \(host.abilities.subject)"
    }
    let vendor = contract.cpuid.vendor ?? ""
    guard vendor == host.vendor else {
      return "the guest was told that the processor is \(vendor.quoted), and the destination's is \(host.vendor.quoted)"
    }
    let told = FeatureWords(contract.cpuid)
    let missing = told.subtracting(told.promises).missing(from: FeatureWords(tellable.cpuid))
    guard missing.isEmpty else {
      return "the guest was told \(missing.list), which the destination's KVM does not offer"
    }
    if let offered = host.featureMSRs {
      let more = featureMSRs.missing(from: offered)
      guard more.isEmpty else {
        return "the guest was told values of \(more.map { "\($0)" }.list) that the destination's KVM does not accept"
      }
    }
    let (physical, linear) = contract.addressBits
    guard physical <= host.physicalAddressBits, linear <= host.linearAddressBits else {
      return
        "the guest was told physical and linear addresses of \(physical) and \(linear) bits, and the destination's KVM "
        + "offers \(host.physicalAddressBits) and \(host.linearAddressBits)"
    }
    // CPUID's SPEC_CTRL also announces the barrier, which no policy can replace.
    if hasIBPB, !host.hasIBPB, contract.cpuid.has(.specCtrl) {
      return
        "the guest uses IA32_PRED_CMD, which CPUID's SPEC_CTRL announces, but the destination has no IBPB: its next "
        + "barrier would be a #GP"
    }
    let controls = contract.announcedCapabilities.missingControls(at: tellable.archCapabilities)
    guard controls.isEmpty else {
      return
        "the guest was told of \(controls.list) in IA32_ARCH_CAPABILITIES, which the destination lacks: using it would be a #GP"
    }
    guard subject == .specCtrl, host.abilities.register.isHeld else { return nil }
    guard inUse.isEmpty || !policy.passedOn.contains(.ibrs) || SpecCtrl.isGivenByKVM(to: contract.cpuid) else {
      return
        "the guest writes IA32_SPEC_CTRL without having been told of it, which is a #GP where its writes are not trapped"
    }
    let unheld = inUse.intersection(policy.passedOn).subtracting(host.specCtrl)
    guard unheld.isEmpty else {
      return "the guest has set \(unheld.list) in IA32_SPEC_CTRL, which the destination's register does not accept"
    }
    return nil
  }

  /// The protection of this guest on a host: the policy's, and what depends on the guest.
  func protection(_ supported: Protection, at host: HostOffer) -> Protection {
    guard subject == .specCtrl, [.guest, .none].contains(supported.level) else { return supported }
    let knowsRegister = SpecCtrl.isGivenByKVM(to: contract.cpuid)
    guard supported.level == .guest else {
      return knowsRegister
        ? supported.given(contract, about: subject)
        : Protection(.none, "the guest was not told of IA32_SPEC_CTRL, and the host restricts nothing for it")
    }
    guard knowsRegister else {
      return Protection(.none, "the guest was not told of IA32_SPEC_CTRL, so that it does not write it")
    }
    // The host has restricted it until now; from now on it must write itself. Every trapped write was counted.
    guard ![.always, .maskedBits].contains(self.protection) || hasWritten || !inUse.isEmpty else {
      return Protection(
        .none, "the guest has never written IA32_SPEC_CTRL: only \(self.policy.rawValue) has restricted it until now")
    }
    guard !wasToldIBRSAll || host.abilities.hasIBRSAll else {
      return Protection(
        .none,
        "the guest was told IBRS_ALL and sets IBRS once, which does not restrict on a host without IBRS_ALL: there each "
          + "kernel entry needs the write, which is a barrier")
    }
    return supported
  }

  /// What the guest loses on a host where nothing fails, each as a clause.
  fileprivate func losses(
    at host: HostOffer, telling offered: GuestContract, under policy: PolicyName, protectedBy protection: Protection
  ) -> [String] {
    var losses: [String] = []
    if let loss = lossOfProtection(at: host, under: policy, protection) { losses.append(loss) }
    let dropped = self.policy.passedOn.intersection(inUse).subtracting(policy.passedOn).subtracting(.ibrs)
    if subject == .specCtrl, self.protection != .none, !dropped.isEmpty {
      losses.append("\(dropped.list), which the guest has set, would change nothing under \(policy.rawValue)")
    }
    let tellable = offered.announcedCapabilities
    let broken =
      FeatureWords(contract.cpuid).promises.missing(from: FeatureWords(offered.cpuid))
      + contract.announcedCapabilities.brokenPromises(at: tellable).allNames
    if !broken.isEmpty {
      losses.append("the guest was told \(broken.list), which the destination does not promise")
    }
    if contract.cpuid.has(.invariantTSC), let clock = changeOfClock(at: host) {
      losses.append("the guest was told INVARIANT_TSC, and \(clock)")
    }
    let warnings = contract.announcedCapabilities.warningsMissed(at: tellable)
    // If the host keeps IBRS on, the processor restricts RET's predictions too, and retpolines are not needed.
    if !warnings.isEmpty, protection.level != .always {
      losses.append(
        "the destination has \(warnings.list), which the guest was not told: its retpolines do not protect where RET may "
          + "use other predictors")
    }
    return losses
  }

  /// How its clock would change on a host, as a clause; nil if it would not, or that is not known.
  fileprivate func changeOfClock(at host: HostOffer) -> String? {
    guard let tscKilohertz, let clock = host.clock, !clock.gives(tscKilohertz) else { return nil }
    return
      "its time-stamp counter, which ran at \(tscKilohertz.megahertz), runs at \(clock.kilohertz.megahertz) at the "
      + "destination, whose KVM cannot scale it: times that the guest computes from it are wrong"
  }

  /// Why the guest would be less protected on a host than at the source; nil if it would not be.
  private func lossOfProtection(at host: HostOffer, under policy: PolicyName, _ there: Protection) -> String? {
    guard subject == .specCtrl else { return nil }
    // A guest that does not know the register has chosen nothing.
    let chooses = protection != .guest || SpecCtrl.isGivenByKVM(to: contract.cpuid)
    guard chooses, there.level.strength < protection.strength else { return nil }
    guard !host.abilities.hasIBRSAll, host.abilities.register.isHeld else { return there.reason }
    if policy.passedOn.isEmpty {
      return
        "under \(policy.rawValue) the guest's writes change nothing, which protects only on a processor with IBRS_ALL, "
        + "and the destination's has none"
    }
    guard wasToldIBRSAll else { return there.reason }
    return
      "the guest was told IBRS_ALL, which the destination lacks; leaving IBRS set does not replace it: the write is also "
      + "a barrier, and user mode with IBRS set is slow"
  }
}

extension Protection.Level {
  /// The worth of the level to a guest that writes correctly: the higher, the better.
  var strength: Int {
    switch self {
    case .none, .notApplicable: 0
    case .maskedBits: 1
    case .guest, .always: 2
    }
  }
}

extension NamedBits {
  /// The names as a list in a sentence.
  var list: String { allNames.list }
}

extension Int {
  /// A rate in kHz as text in MHz.
  var megahertz: String { "\(Double(self) / 1000) MHz" }
}

extension [String] {
  /// The elements as a list in a sentence.
  var list: String {
    switch count {
    case 0: "nothing"
    case 1: self[0]
    default: dropLast().joined(separator: ", ") + " and " + self[count - 1]
    }
  }
}

extension String {
  fileprivate var quoted: String { isEmpty ? "unnamed" : self }
}
