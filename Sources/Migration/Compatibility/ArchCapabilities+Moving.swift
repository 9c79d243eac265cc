// What a bit of IA32_ARCH_CAPABILITIES means to a guest that moves: a promise that the destination must keep, a
// register or command that must exist, or a warning that the guest must have been given.
//
// Facts: Intel SDM vol. 4, table 2-2, register 10AH; Intel, "Retpoline: A Branch Target Injection Mitigation" (RSBA: a
// retpoline fails where RET uses other predictors); QEMU target/i386/kvm (FB_CLEAR where nothing needs it).

import Hypervisor

extension ArchCapabilities {
  /// Warnings: a destination that has one is a problem for a guest that was not told it.
  static let warnings: ArchCapabilities = [.rsba, .rrsba]

  /// Promises: nothing faults if one is broken, but a guest that was told it has left out a mitigation.
  static let promises: ArchCapabilities = [
    .rdclNo, .skipL1DFlushOnEntry, .ssbNo, .mdsNo, .ifPschangeMCNo, .taaNo, .sbdrSSDPNo, .fbsdpNo, .psdpNo, .bhiNo,
    .pbrsbNo, .gdsNo, .rfdsNo, .itsNo,
  ]

  /// VERW that clears buffers: without it the guest's VERW does nothing, which matters unless the bits beside it are
  /// set.
  private static let clearing: [(help: ArchCapabilities, needlessWith: ArchCapabilities)] = [
    (.fbClear, [.mdsNo, .taaNo, .sbdrSSDPNo, .fbsdpNo, .psdpNo]),
    (.rfdsClear, .rfdsNo),
  ]

  /// The bits that a guest was told and can no longer rely on at a host; without IBRS_ALL, which depends on the policy.
  func brokenPromises(at host: ArchCapabilities) -> ArchCapabilities {
    let broken = intersection(Self.promises).subtracting(host)
    return Self.clearing.reduce(broken) { broken, rule in
      contains(rule.help) && !host.contains(rule.help) && !host.isSuperset(of: rule.needlessWith)
        ? broken.union(rule.help) : broken
    }
  }

  /// The registers and commands that a guest was told of and a host lacks: using one is a #GP there.
  ///
  /// A bit without a name counts as one, because its meaning is unknown.
  func missingControls(at host: ArchCapabilities) -> ArchCapabilities {
    let others = Self.clearing.reduce(Self.promises.union(Self.warnings).union(.ibrsAll)) { $0.union($1.help) }
    return subtracting(others).subtracting(host)
  }

  /// The warnings of a host that the guest was not given.
  func warningsMissed(at host: ArchCapabilities) -> ArchCapabilities {
    host.intersection(Self.warnings).subtracting(self)
  }
}
