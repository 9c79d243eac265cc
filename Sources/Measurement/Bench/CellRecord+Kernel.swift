// A cell in which a Linux kernel that nobody here wrote does the work.

public import Registers

extension CellRecord {
  /// What there is to tell of a kernel, beside what all cells have.
  public struct Kernel: Codable, Equatable, Sendable {
    /// What it does in each iteration.
    public var work: Known<KernelWork>
    /// What it was told to do against Spectre v2.
    public var mitigation: Known<KernelMitigation>
    /// What it does, by what it says; null where that has no name here, and where it did not come to say it.
    @Nullable public var taken: Known<KernelMitigation>?
    /// What it says of Spectre v2, word for word; null where it did not come to say it.
    @Nullable public var says: String?
    /// All iterations in which writes were counted.
    public var iterations: UInt64
    /// Writes of the MSR in them that reached the VMM.
    public var writes: UInt64
    /// The interrupts that can have been in them, at most: each that comes in user mode enters the kernel, too; null
    /// where nobody counts them.
    @Nullable public var interrupts: UInt64?

    /// A kernel that is yet to be booted.
    public init(_ work: KernelWork, told mitigation: KernelMitigation) {
      self.work = .known(work)
      self.mitigation = .known(mitigation)
      (taken, says, interrupts) = (nil, nil, nil)
      (iterations, writes) = (0, 0)
    }

    /// Adds what was counted in some more iterations of a kernel that says this of Spectre v2.
    public mutating func add(iterations: UInt64, writes: UInt64, interrupts: UInt64?, says: String?) {
      self.says = says
      taken = says.flatMap(KernelMitigation.init(reported:)).map(Known.known)
      self.iterations &+= iterations
      self.writes &+= writes
      self.interrupts = interrupts.map { (self.interrupts ?? 0) &+ $0 }
    }

    /// Whether it does what it was told; nil where that cannot be told.
    public var hasTaken: Bool? {
      guard says != nil else { return nil }
      return mitigation == .auto || taken == mitigation
    }
  }

  /// The workload of every kernel's cell; which work it is stands where the entry stands.
  private static let linux = "linux"

  /// A cell of a kernel under a policy, held against the same kernel under `passthrough`.
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
  /// The kernels that say something else than they were told, each in a sentence.
  static func deviations(of cells: [CellRecord]) -> [String] {
    let deviating = cells.filter { $0.kernel?.hasTaken == false }
    return deviating.compactMap(\.kernel).map { "\($0.mitigation): \($0.says ?? "")" }.uniqued.compactMap { key in
      let alike = deviating.filter { $0.kernel.map { "\($0.mitigation): \($0.says ?? "")" } == key }
      guard let kernel = alike.first?.kernel else { return nil }
      let policies = alike.map(\.policy.text).uniqued.joined(separator: ", ")
      return
        "the kernel that was told \(kernel.mitigation) says \"\(kernel.says ?? "")\" under \(policies): its cells are of "
        + "what it says, not of what it was told"
    }
  }
}
