// The conditions of claims: one list, one judgement, one wording.

import Registers

/// A condition without which figures say nothing about a claim.
enum Need: Hashable, Sendable {
  /// A KVM that uses VMX or SVM: the claims are about what those cost.
  case hardwareVirtualisation
  /// The policies are about IA32_SPEC_CTRL.
  case specCtrl
  /// Hardware on which IBRS has to be written at each entry.
  case hardwareWithoutIBRSAll
  /// VMX's own MSR lists, which only a changed kvm-intel uses for this register.
  case hardwareLists
  /// Results of two forms of KVM's own exit path: with the conditional restore, and with something else in its place.
  case severalModes
  /// Hardware that shadows the register: a guest's writes change only the bits that it owns, without an exit.
  case hardwareShadow
  /// A clock that counts time.
  case clockOfTime

  /// A condition that does not hold.
  struct Lack {
    let need: Need
    let outcome: BenchReport.Verdict.Outcome
    /// In words, without a full stop.
    let reason: String
    /// Whether there are no figures worth showing without it.
    var hidesFigures: Bool { need == .specCtrl }
  }

  /// The condition as missing in a record; nil if it holds.
  func lack(in record: BenchRecord) -> Lack? {
    switch self {
    case .hardwareVirtualisation:
      guard record.host.isSoftwareKVM else { return nil }
      return lack(of: "VMX and SVM", "\(record.host.module) uses neither", outcome: .notDecided)
    case .specCtrl:
      return record.msr.isSpecCtrl ? nil : lack(of: "IA32_SPEC_CTRL", "this benchmark is about \(record.msr.name)")
    case .hardwareWithoutIBRSAll:
      switch record.host.speculation.hasIBRSAll {
      case false?: return nil
      case true?: return lack(of: "hardware without IBRS_ALL", "this host has it")
      case nil: return lack(of: "hardware without IBRS_ALL", "it is unknown whether this host has it")
      }
    case .hardwareLists:
      guard !record.modes.contains(.lists) else { return nil }
      return lack(
        of: "VMX's own MSR lists",
        "KVM does not use them for this register here: autoload models them with four ioctls around each KVM_RUN, and "
          + "manual models switching by hand with two")
    case .severalModes:
      guard record.modes.count < 2 else { return nil }
      let way = record.modes.first.map { " (\($0.summary))" } ?? ""
      return lack(
        of: "KVM's work at the exits of every guest",
        "KVM was measured in one form only\(way): manual models that work around KVM_RUN")
    case .hardwareShadow:
      guard !record.modes.contains(.maskAndShadow), !record.host.usesVirtualSpecCtrl else { return nil }
      return lack(
        of: "hardware that shadows the register",
        "KVM uses none here (VMX \"virtualize IA32_SPEC_CTRL\", AMD V_SPEC_CTRL): under the policy shadow a write traps"
      )
    case .clockOfTime:
      return record.environment.isExact ? lack(of: "time", "this host's clock counts instructions") : nil
    }
  }

  private func lack(
    of what: String, _ instead: String, outcome: BenchReport.Verdict.Outcome = .cannotBeTested
  ) -> Lack {
    Lack(need: self, outcome: outcome, reason: "the claim is about \(what), but \(instead)")
  }
}

extension [Need.Lack] {
  /// The outcome of a claim that lacks these conditions; nil if it lacks none.
  ///
  /// A software KVM decides nothing, whatever else is missing.
  var outcome: BenchReport.Verdict.Outcome? {
    first { $0.need == .hardwareVirtualisation }?.outcome ?? first?.outcome
  }
}

extension BenchRecord {
  /// The modes in which KVM switched the register in this record and those of other modes, this record's first.
  var modes: [SpecCtrlMode] { ofOneHost.compactMap { $0.host.specCtrlMode?.value }.uniqued }

  /// This record, and those of the other modes whose clock counts the same.
  private var ofOneHost: [BenchRecord] {
    [self] + otherModes.filter { $0.environment.isExact == environment.isExact }
  }

  /// The measurements made in a mode; nil where there are none.
  func measured(in mode: SpecCtrlMode) -> BenchRecord? {
    ofOneHost.first { $0.host.specCtrlMode?.value == mode }
  }
}

extension BenchReport {
  /// Why this result cannot be used as that of another mode of KVM on a host; nil if it can.
  package func refusal(beside host: HostReport) -> String? {
    if !msr.isSpecCtrl { return "it is about \(msr.name), not about IA32_SPEC_CTRL" }
    guard let own = host.specCtrlMode?.value, let mode = self.host.specCtrlMode?.value else {
      return "one of the two results does not say how kvm-intel switches IA32_SPEC_CTRL"
    }
    if mode == own {
      return "KVM switches IA32_SPEC_CTRL \(own.summary) in both: load kvm-intel with another spec_ctrl_mode"
    }
    let same = self.host.cpu == host.cpu && self.host.kernel == host.kernel && self.host.module == host.module
    return same ? nil : "it is from another host, kernel or microcode"
  }
}

extension HostReport {
  /// Whether AMD's hardware shadow of SPEC_CTRL is in use: KVM uses it for every guest that has the register.
  var usesVirtualSpecCtrl: Bool { module == "kvm_amd" && speculation.cpu.virtualSpecCtrl == true }
}

extension Known<Entry> {
  /// Whether it is an instruction made for system calls.
  var isSystemCall: Bool { value?.isSystemCall ?? false }
}
