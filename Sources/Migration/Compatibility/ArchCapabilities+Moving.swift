// What a bit of IA32_ARCH_CAPABILITIES means to a guest that moves: a promise that must be kept, a register or a
// command that must be there, or a warning that must have been given.
//
// Facts: Intel SDM vol. 4, table 2-2, register 10AH; Intel, "Retpoline: A Branch Target Injection Mitigation" (RSBA:
// what a retpoline is worth where RET may be predicted otherwise); QEMU target/i386/kvm (FB_CLEAR where nothing needs
// it).

import Hypervisor

extension ArchCapabilities {
  /// Warnings: a destination that has one and a guest that was not given it.
  static let warnings: ArchCapabilities = [.rsba, .rrsba]

  /// Promises: nothing faults where one is broken, but a guest that was told it left a mitigation out.
  static let promises: ArchCapabilities = [
    .rdclNo, .skipL1DFlushOnEntry, .ssbNo, .mdsNo, .ifPschangeMCNo, .taaNo, .sbdrSSDPNo, .fbsdpNo, .psdpNo, .bhiNo,
    .pbrsbNo, .gdsNo, .rfdsNo, .itsNo,
  ]

  /// The hardware's help, VERW that clears buffers: where it is gone, the guest's VERW does nothing, unless nothing
  /// needs it.
  private static let clearing: [(help: ArchCapabilities, needlessWith: ArchCapabilities)] = [
    (.fbClear, [.mdsNo, .taaNo, .sbdrSSDPNo, .fbsdpNo, .psdpNo]),
    (.rfdsClear, .rfdsNo),
  ]

  /// What a guest that was told these bits no longer can rely on where a host tells others; IBRS_ALL apart, which is
  /// judged by what the policy does for the guest.
  func brokenPromises(at host: ArchCapabilities) -> ArchCapabilities {
    let broken = intersection(Self.promises).subtracting(host)
    return Self.clearing.reduce(broken) { broken, rule in
      contains(rule.help) && !host.contains(rule.help) && !host.isSuperset(of: rule.needlessWith)
        ? broken.union(rule.help) : broken
    }
  }

  /// The registers and commands that a guest was told of and that a host does not have: using one is a #GP there.
  ///
  /// A bit without a name counts as one: what it means is not known.
  func missingControls(at host: ArchCapabilities) -> ArchCapabilities {
    let others = Self.clearing.reduce(Self.promises.union(Self.warnings).union(.ibrsAll)) { $0.union($1.help) }
    return subtracting(others).subtracting(host)
  }

  /// The warnings that a host gives and that the guest was not given.
  func warningsMissed(at host: ArchCapabilities) -> ArchCapabilities {
    host.intersection(Self.warnings).subtracting(self)
  }
}
