// A cell in which a Linux kernel does the work.

public import Registers

extension CellRecord {
  /// The data that only a kernel's cell has.
  public struct Kernel: Codable, Equatable, Sendable {
    /// The work of each iteration.
    public let work: Known<KernelWork>
    /// The mitigation of Spectre v2 that it was told to use.
    public let mitigation: Known<KernelMitigation>
    /// The mitigation that it uses, by its own report; null if that has no name here, or was not read.
    @Nullable public private(set) var taken: Known<KernelMitigation>?
    /// Its own report on Spectre v2, verbatim; null if it was not read.
    @Nullable public private(set) var says: String?
    /// Whether it isolates its page tables from user mode (PTI), by its own report; null if that was not read, and in
    /// results of older versions.
    @Nullable public private(set) var isIsolated: Bool?
    /// All iterations in which writes were counted.
    public let iterations: UInt64
    /// Writes of the MSR in them that reached the VMM.
    public let writes: UInt64
    /// The most interrupts that can have come in them; null if they are not counted.
    ///
    /// Each one in user mode enters the kernel as well.
    @Nullable public private(set) var interrupts: UInt64?

    /// A kernel that reports this of Spectre v2, with the counts of some iterations.
    public init(
      _ work: KernelWork, told mitigation: KernelMitigation, says: String? = nil, isIsolated: Bool? = nil,
      iterations: UInt64 = 0, writes: UInt64 = 0, interrupts: UInt64? = nil
    ) {
      self.work = .known(work)
      self.mitigation = .known(mitigation)
      self.iterations = iterations
      self.writes = writes
      self.says = says
      self.isIsolated = isIsolated
      taken = says.flatMap(KernelMitigation.init(reported:)).map(Known.known)
      self.interrupts = interrupts
    }

    /// Whether it uses the mitigation that it was told to use; nil if unknown.
    public var hasTaken: Bool? {
      guard says != nil else { return nil }
      return mitigation == .auto || taken == mitigation
    }
  }

  /// The workload of every kernel's cell; the work's name takes the entry's place.
  private static let linux = "linux"

  /// A cell of a kernel under a policy, compared with the same kernel under `passthrough`.
  public init(_ kernel: Kernel, under policy: PolicyName) {
    self.init(
      id: Self.identifier(kernel.work, .known(policy), kernel.mitigation), workload: Known(Self.linux),
      entry: Known(kernel.work.text), policy: .known(policy), msr: .known(.specCtrl),
      baseline: policy == .passthrough ? nil : Self.identifier(kernel.work, .known(.passthrough), kernel.mitigation),
      baselineUse: policy == .passthrough ? nil : .divide)
    self.kernel = kernel
  }

  /// `linux/getppid/emulate/ibrs`.
  private static func identifier(
    _ work: Known<KernelWork>, _ policy: Known<PolicyName>, _ mitigation: Known<KernelMitigation>
  ) -> String {
    [linux, work.text, policy.text, mitigation.text].joined(separator: "/")
  }
}

extension BenchReport {
  /// Warnings about kernels that report another mitigation than they were told to use.
  static func deviations(of cells: [CellRecord]) -> [String] {
    let deviating = cells.filter { $0.kernel?.hasTaken == false }
    return deviating.compactMap(\.kernel).map { "\($0.mitigation): \($0.says ?? "")" }.uniqued.compactMap { key in
      let alike = deviating.filter { $0.kernel.map { "\($0.mitigation): \($0.says ?? "")" } == key }
      guard let kernel = alike.first?.kernel else { return nil }
      let policies = alike.map(\.policy.text).uniqued.joined(separator: ", ")
      return
        "the kernel that was told to use \(kernel.mitigation) reports \"\(kernel.says ?? "")\" under \(policies): "
        + "its cells show the mitigation that it reports"
    }
  }
}
