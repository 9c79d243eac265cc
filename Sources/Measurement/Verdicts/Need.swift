// The conditions of claims: one list, one judgement, one wording.

import Registers

/// A condition without which figures say nothing about a claim.
enum Need: Hashable, Sendable {
  /// The policies are about IA32_SPEC_CTRL.
  case specCtrl
  /// Hardware on which IBRS has to be written at each entry.
  case hardwareWithoutIBRSAll
  /// A kernel that is entered by an instruction made for system calls.
  case systemCall
  /// Hardware that shadows the register, so that writes under the policy `shadow` make no exit.
  case hardwareShadow
  /// A clock that counts time.
  case clockOfTime

  /// That it is not there.
  struct Lack {
    let need: Need
    let outcome: BenchReport.Verdict.Outcome
    /// In words, without a full stop.
    let reason: String
    /// Whether there are no figures worth showing without it.
    var hidesFigures: Bool { need == .specCtrl }
  }

  /// What is missing; nil where the condition holds, and where the cells that would show it were not measured.
  func lack(in record: BenchRecord) -> Lack? {
    switch self {
    case .specCtrl:
      if record.msr.isSpecCtrl { return nil }
      return lack(of: "IA32_SPEC_CTRL", "this benchmark is about \(record.msr.name)")
    case .hardwareWithoutIBRSAll:
      switch record.host.speculation.hasIBRSAll {
      case false?: return nil
      case true?: return lack(of: "hardware without IBRS_ALL", "this host has it")
      case nil: return lack(of: "hardware without IBRS_ALL", "nobody says whether this host has it")
      }
    case .systemCall:
      guard let entry = Evidence(record).emptyEntry?.entry, !entry.isSystemCall else { return nil }
      // One of which it is not known may work.
      let mayWork = (record.host.entries ?? [:]).contains { $0.key.isSystemCall && $0.value.works != false }
      return lack(
        of: "a system call", "the kernel was entered by \(entry)", outcome: mayWork ? .notMeasured : .cannotBeTested)
    case .hardwareShadow:
      guard let shadow = Evidence(record).shadow, shadow.place != .hardware else { return nil }
      return lack(
        of: "hardware that shadows the register",
        "KVM gives user space none to use (VMX \"virtualize IA32_SPEC_CTRL\", AMD V_SPEC_CTRL): under the policy shadow a "
          + "write traps to \(shadow.place.text)")
    case .clockOfTime:
      return record.environment.isExact ? lack(of: "time", "this host's clock counts instructions") : nil
    }
  }

  private func lack(
    of what: String, _ instead: String, outcome: BenchReport.Verdict.Outcome = .cannotBeTested
  ) -> Lack {
    Lack(need: self, outcome: outcome, reason: "the claim is about \(what), and \(instead)")
  }
}

extension [Need.Lack] {
  /// What becomes of a claim that lacks these; nil for one that lacks nothing.
  var outcome: BenchReport.Verdict.Outcome? {
    contains { $0.outcome == .cannotBeTested } ? .cannotBeTested : first?.outcome
  }
}

extension Known<Entry> {
  /// Whether it is an instruction made for system calls.
  var isSystemCall: Bool { value?.isSystemCall ?? false }
}
