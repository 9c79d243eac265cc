// A Linux kernel that a benchmark measures beside its own guests. The module Boot boots it; this is what a benchmark
// needs from it.

public import Hypervisor

/// A kernel to measure under each policy.
public struct KernelOrder: Sendable {
  /// The mitigations of Spectre v2 to ask it for, with a guest for each.
  public var mitigations: [KernelMitigation]
  /// Makes a guest of it under a policy, ready to run.
  ///
  /// Throws `ExperimentError.kernelRefused` if this host cannot run it.
  public var prepare: @Sendable (PolicyName, KernelMitigation, borrowing KVM, Terms) throws -> KernelGuest

  /// A kernel whose guests `prepare` makes.
  public init(
    _ mitigations: [KernelMitigation],
    preparing prepare: @escaping @Sendable (PolicyName, KernelMitigation, borrowing KVM, Terms) throws -> KernelGuest
  ) {
    self.mitigations = mitigations
    self.prepare = prepare
  }
}

/// A kernel in a machine of its own, which is measured again and again.
public struct KernelGuest {
  /// Runs the guest until it has measured all its work once more; the first call boots it.
  ///
  /// Throws `ExperimentError.kernelEnded` if the guest ends instead.
  public let measure: (RunControl) throws -> KernelRound

  /// A guest that `measure` runs.
  public init(measuring measure: @escaping (RunControl) throws -> KernelRound) { self.measure = measure }
}

/// The result of measuring a kernel's work once.
public struct KernelRound: Sendable {
  /// Why the run was stopped; nil if the measurement is complete.
  public var stopped: RunControl.Stop?
  /// The kernel's own report on Spectre v2; nil if there is none.
  public var says: String?
  /// Whether it isolates its page tables from user mode; nil where it does not say.
  public var isIsolated: Bool?
  public var figures: [KernelFigure]
  /// When its writes of the MSR exit to the VMM.
  public var interception: RunRecord.Interception
  /// How often a foreign signal ended KVM_RUN.
  public var signals: UInt64

  public init(
    stopped: RunControl.Stop?, says: String?, isIsolated: Bool? = nil, figures: [KernelFigure],
    interception: RunRecord.Interception, signals: UInt64
  ) {
    self.stopped = stopped
    self.says = says
    self.isIsolated = isIsolated
    self.figures = figures
    self.interception = interception
    self.signals = signals
  }
}
