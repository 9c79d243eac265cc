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
  /// It may, and is protected there as said.
  case allowed(Protection)
  /// It would run on and be worse protected than it believes, for this reason: it may when the user accepts that.
  case unprotected(String)
  /// It may not: something that it uses would fail.
  case refused(String)

  /// The decision on a guest that is to go on at a host under a policy.
  ///
  /// `accepting` is whether its user accepts that the policy gives up a protection there, and `costs` what `adaptive`
  /// weighs there, where that is known.
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

  /// What a guest that goes on at a host notices there and loses no protection by: each a warning that stays with it.
  public static func warnings(of guest: MovingGuest, at host: HostOffer) -> [String] {
    if guest.contract.cpuid.has(.invariantTSC) { return host.clock == nil ? [unknownClock(at: host)] : [] }
    return guest.changeOfClock(at: host).map { [$0] } ?? []
  }

  /// What is said of a host that does not tell the rate of its guests' clock.
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

  /// Why, in one sentence.
  public var reason: String {
    switch self {
    case .allowed(let protection): protection.reason
    case .unprotected(let reason), .refused(let reason): reason
    }
  }
}

extension MovingGuest {
  /// What would fail at a host, in a sentence; nil when nothing would.
  fileprivate func refusal(
    at host: HostOffer, telling tellable: GuestContract, under policy: PolicyName
  ) -> String? {
    guard host.abilities.subject == subject else {
      return
        "the destination proved what it can do with \(host.abilities.subject), and the guest's policy is about \(subject)"
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
        return "the guest was told values of \(more.map { "\($0)" }.list) that the destination's KVM does not take"
      }
    }
    let (physical, linear) = contract.addressBits
    guard physical <= host.physicalAddressBits, linear <= host.linearAddressBits else {
      return
        "the guest was told physical and linear addresses of \(physical) and \(linear) bits, and the destination's KVM "
        + "offers \(host.physicalAddressBits) and \(host.linearAddressBits)"
    }
    // CPUID's SPEC_CTRL stands for the barrier, too, and no policy makes that.
    if hasIBPB, !host.hasIBPB, contract.cpuid.has(.specCtrl) {
      return
        "the guest uses IA32_PRED_CMD, which CPUID's SPEC_CTRL told it of, and the destination has no IBPB: its next "
        + "barrier would be a #GP"
    }
    let controls = contract.told.missingControls(at: tellable.archCapabilities)
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
      return "the guest has set \(unheld.list) in IA32_SPEC_CTRL, which the destination's register does not take"
    }
    return nil
  }

  /// The protection that a policy gives this guest at a host: what the policy says of itself there, and the guest's own
  /// part.
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
    // What the host has done for it so far it must do itself, and does where it writes at all: every trapped write was
    // counted.
    guard ![.always, .maskedBits].contains(self.protection) || hasWritten || !inUse.isEmpty else {
      return Protection(
        .none, "the guest has never written IA32_SPEC_CTRL: what restricted it until now was \(self.policy.rawValue)")
    }
    guard !wasToldIBRSAll || host.abilities.hasIBRSAll else {
      return Protection(
        .none,
        "the guest was told IBRS_ALL and sets IBRS once, which does not restrict on a host without IBRS_ALL: there each "
          + "kernel entry needs the write, which is a barrier")
    }
    return supported
  }

  /// What the guest loses at a host where nothing fails, each in a clause.
  fileprivate func losses(
    at host: HostOffer, telling offered: GuestContract, under policy: PolicyName, protectedBy protection: Protection
  ) -> [String] {
    var losses: [String] = []
    if let loss = lossOfProtection(at: host, under: policy, protection) { losses.append(loss) }
    let dropped = self.policy.passedOn.intersection(inUse).subtracting(policy.passedOn).subtracting(.ibrs)
    if subject == .specCtrl, self.protection != .none, !dropped.isEmpty {
      losses.append("\(dropped.list), which the guest has set, would change nothing under \(policy.rawValue)")
    }
    let tellable = offered.told
    let broken =
      FeatureWords(contract.cpuid).promises.missing(from: FeatureWords(offered.cpuid))
      + contract.told.brokenPromises(at: tellable).allNames
    if !broken.isEmpty {
      losses.append("the guest was told \(broken.list), which the destination does not promise")
    }
    if contract.cpuid.has(.invariantTSC), let clock = changeOfClock(at: host) {
      losses.append("the guest was told INVARIANT_TSC, and \(clock)")
    }
    let warnings = contract.told.warningsMissed(at: tellable)
    // Where the host keeps IBRS on, the processor restricts RET's predictions as well, and nothing rests on retpolines.
    if !warnings.isEmpty, protection.level != .always {
      losses.append(
        "the destination has \(warnings.list), which the guest was not told: its retpolines do not hold where RET may be "
          + "predicted otherwise")
    }
    return losses
  }

  /// How its clock differs at a host from what it was, in a clause; nil where it does not, or where that is not known.
  fileprivate func changeOfClock(at host: HostOffer) -> String? {
    guard let tscKilohertz, let clock = host.clock, !clock.gives(tscKilohertz) else { return nil }
    return
      "its time-stamp counter, which ran at \(tscKilohertz.megahertz), runs at \(clock.kilohertz.megahertz) at the "
      + "destination, whose KVM cannot scale it: times that the guest computes from it are wrong"
  }

  /// Why the guest would be worse protected at a host than at the source; nil when it would not be.
  private func lossOfProtection(at host: HostOffer, under policy: PolicyName, _ there: Protection) -> String? {
    guard subject == .specCtrl else { return nil }
    // A guest that does not know the register chose nothing by it.
    let chooses = protection != .guest || SpecCtrl.isGivenByKVM(to: contract.cpuid)
    guard chooses, there.level.strength < protection.strength else { return nil }
    guard !host.abilities.hasIBRSAll, host.abilities.register.isHeld else { return there.reason }
    if policy.passedOn.isEmpty {
      return
        "\(policy.rawValue) makes the guest's writes change nothing, which protects only where the processor has IBRS_ALL, "
        + "and the destination's has not"
    }
    guard wasToldIBRSAll else { return there.reason }
    return
      "the guest was told IBRS_ALL, which the destination lacks and which leaving IBRS set for ever does not replace: "
      + "the write is a barrier as well, and user mode with IBRS set is slow"
  }
}

extension Protection.Level {
  /// Which of two levels is worth more to a guest that knows what to write.
  var strength: Int {
    switch self {
    case .none, .notApplicable: 0
    case .maskedBits: 1
    case .guest, .always: 2
    }
  }
}

extension NamedBits {
  /// The names, and the bits without one as a number.
  var allNames: [String] { names + (unnamed == 0 ? [] : [unnamed.hex]) }

  /// The names as they stand in a sentence.
  var list: String { allNames.list }
}

extension Int {
  /// A rate in kHz as a person reads it.
  var megahertz: String { "\(Double(self) / 1000) MHz" }
}

extension [String] {
  /// The words as they stand in a sentence.
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
