// A Linux kernel that a benchmark measures beside its own guests. Who boots it stands in Boot: here is what a benchmark
// asks of it.

public import Hypervisor

/// A kernel that is to be measured under each policy.
public struct KernelOrder: Sendable {
  /// What it is told to do against Spectre v2, in a guest each.
  public var mitigations: [KernelMitigation]
  /// Makes a guest of it under a policy, ready to begin.
  ///
  /// Throws `ExperimentError.kernelRefused` where this host cannot run it so.
  public var prepare: @Sendable (PolicyName, KernelMitigation, borrowing KVM, Terms) throws -> KernelGuest

  /// A kernel that `prepare` makes guests of.
  public init(
    _ mitigations: [KernelMitigation],
    preparing prepare: @escaping @Sendable (PolicyName, KernelMitigation, borrowing KVM, Terms) throws -> KernelGuest
  ) {
    self.mitigations = mitigations
    self.prepare = prepare
  }
}

/// A kernel in a machine of its own, which is kept and measured again and again.
public struct KernelGuest {
  /// Runs it on until it has measured all its work once more; the first time it boots before.
  ///
  /// Throws `ExperimentError.kernelEnded` when it ends in any other way.
  public let measure: (RunControl) throws -> KernelRound

  /// A guest that is run so.
  public init(measuring measure: @escaping (RunControl) throws -> KernelRound) { self.measure = measure }
}

/// What a kernel told when it had measured its work once.
public struct KernelRound: Sendable {
  /// Why it did not come to that; nil where it did.
  public var stopped: RunControl.Stop?
  /// What it says of Spectre v2; nil where it does not say.
  public var says: String?
  public var figures: [KernelFigure]
  /// When its writes of the MSR exit to the VMM.
  public var interception: RunRecord.Interception
  /// How often a signal that nobody here had ordered ended KVM_RUN.
  public var signals: UInt64

  public init(
    stopped: RunControl.Stop?, says: String?, figures: [KernelFigure], interception: RunRecord.Interception,
    signals: UInt64
  ) {
    self.stopped = stopped
    self.says = says
    self.figures = figures
    self.interception = interception
    self.signals = signals
  }
}
