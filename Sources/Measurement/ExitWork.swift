// A kernel's mitigations around guests: its work at each exit, each exit to user space, and each entry. It is part of
// the cost of an exit, although it has nothing to do with virtualisation, and parameters of the kernel can turn it off.
//
// Facts: Linux arch/x86/kernel/cpu/bugs.c (the words of the files under /sys/devices/system/cpu/vulnerabilities, and
// spectre_v2_determine_rsb_fill_type_at_vmexit), arch/x86/kvm/vmx/vmenter.S and vmx.c (SPEC_CTRL, RSB, BHB, VERW, L1D),
// arch/x86/kvm/svm/vmenter.S (UNTRAIN_RET_VM), arch/x86/kvm/x86.c (the IBPB of vmscape); Documentation/admin-guide/
// hw-vuln and kernel-parameters.txt.

/// Work against speculation that a kernel does around guests.
public struct ExitWork: Equatable, Sendable {
  /// When it is done.
  public enum Moment: String, CaseIterable, Sendable {
    case exit = "each exit"
    case exitToUserSpace = "each exit to user space"
    case entry = "each entry"
    case switching = "a switch between vCPUs"
  }

  public let moment: Moment
  /// What is done.
  public let name: String
  /// Whether this kernel does it; nil where it does not report it.
  public let isDone: Bool?
  /// The file that reports it, and its text; nil where there is none.
  public let source: String?
  /// The parameter that turns it on or off.
  public let switchedBy: String
}

extension HostReport {
  /// The kinds of work around guests, and whether this kernel does each.
  public var exitWork: [ExitWork] { Self.exitWorkRules.map { $0.judge(self) } }

  /// Whether each exit to user space includes an IBPB; nil where the kernel does not report it.
  package var hasBarrierBeforeUserSpace: Bool? { exitWork.first { $0.moment == .exitToUserSpace }?.isDone }

  /// A kind of work: the files that report it, and how their text is read.
  private struct Rule {
    let moment: ExitWork.Moment
    let name: String
    /// The files that may report it; each is a sufficient reason.
    let files: [String]
    let switchedBy: String
    let isDone: @Sendable (String) -> Bool

    func judge(_ host: HostReport) -> ExitWork {
      let told = files.compactMap { file in host.vulnerabilities[file].map { (file: file, text: $0) } }
      let reason = told.first { isDone($0.text) } ?? told.first
      return ExitWork(
        moment: moment, name: name, isDone: reason.map { isDone($0.text) },
        source: reason.map { "\($0.file): \($0.text)" }, switchedBy: switchedBy)
    }
  }

  /// Each kind of work, in the order of an exit.
  private static let exitWorkRules: [Rule] = [
    Rule(
      moment: .exit, name: "the return stack buffer is filled", files: ["spectre_v2"],
      switchedBy: "spectre_v2= on the kernel's command line"
    ) { text in
      // With enhanced IBRS alone it is one entry, where the processor needs even that.
      text.contains("PBRSB-eIBRS: SW sequence") || text.hasPrefix("Mitigation: Retpolines")
        || text.hasPrefix("Mitigation: IBRS") || text.contains("IBRS + Retpolines")
    },
    Rule(
      moment: .exit, name: "the branch history is cleared by a loop", files: ["spectre_v2"],
      switchedBy: "spectre_bhi= on the kernel's command line"
    ) { $0.contains("KVM: SW loop") },
    Rule(
      moment: .exit, name: "returns are untrained", files: ["retbleed", "spec_rstack_overflow"],
      switchedBy: "retbleed= and spec_rstack_overflow= on the kernel's command line"
    ) { $0.contains("untrained return thunk") || $0.contains("Safe RET") },
    Rule(
      moment: .exit, name: "an IBPB is written", files: ["retbleed", "spec_rstack_overflow", "vmscape"],
      switchedBy: "retbleed=, spec_rstack_overflow= and vmscape= on the kernel's command line"
    ) { $0.hasPrefix("Mitigation: IBPB") && !$0.contains("before exit to userspace") },
    Rule(
      moment: .exitToUserSpace, name: "an IBPB is written", files: ["vmscape"],
      switchedBy: "vmscape= on the kernel's command line"
    ) { $0.contains("IBPB before exit to userspace") },
    Rule(
      moment: .entry, name: "VERW clears the processor's buffers",
      files: ["mds", "tsx_async_abort", "mmio_stale_data", "reg_file_data_sampling", "tsa"],
      switchedBy: "mds=, tsx_async_abort=, mmio_stale_data=, reg_file_data_sampling= and tsa= on the command line"
    ) { text in
      text.hasPrefix("Mitigation: Clear") && !text.hasSuffix("user/kernel boundary")
        || text.contains("Clear CPU buffers attempted")
    },
    Rule(
      moment: .entry, name: "the L1 data cache is flushed", files: ["l1tf"],
      switchedBy: "kvm_intel.vmentry_l1d_flush="
    ) { $0.contains("cache flushes") },
    Rule(
      moment: .switching, name: "an IBPB is written", files: ["spectre_v2"],
      switchedBy: "spectre_v2_user= on the kernel's command line"
    ) { $0.contains("IBPB: conditional") || $0.contains("IBPB: always-on") },
  ]
}
