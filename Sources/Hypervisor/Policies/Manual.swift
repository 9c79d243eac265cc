// manual: the register is saved and restored in software around the guest, and written only if the values differ: a
// read after each exit, then a conditional write on each side. KVM does this in the kernel and user space cannot choose
// it, so this models it one level up, like autoload: around every KVM_RUN, on the vCPU's register.
// Facts: Linux arch/x86/kvm/vmx/vmenter.S (vmx_spec_ctrl_restore_host, __vmx_vcpu_run), arch/x86/kvm/vmx/vmx.c.

/// The policy `manual`.
///
/// While the guest runs, the vCPU's register holds the guest's value; otherwise the host's. Unlike `autoload`, it skips
/// a write that would change nothing.
public struct Manual: Policy, ~Copyable {
  public static var name: String { PolicyName.manual.rawValue }
  public let subject: MSR
  public var intercepts: [MSR] { [] }
  /// The accesses so far.
  public private(set) var done = Done()

  /// The count of each kind of access.
  public struct Done: Equatable, Sendable {
    public var reads: UInt64 = 0
    public var writes: UInt64 = 0
    /// Writes that were not needed.
    public var skippedWrites: UInt64 = 0
  }

  private var host: UInt64 = 0
  private var guest: UInt64 = 0
  /// What the vCPU's register holds now.
  private var held: UInt64 = 0
  /// Whether both values are known.
  private var hasStarted = false
  /// The guest's value from another host; nil for the vCPU's own.
  private var adopted: UInt64?
  /// The argument of KVM's requests: one entry.
  private var list: MSRList

  /// A policy whose guest owns this MSR while it runs; guest and host both start with the vCPU's value.
  public init(subject: MSR = .specCtrl) {
    self.subject = subject
    list = MSRList([MSREntry(subject, 0)])
  }

  public mutating func prepare(_ cpu: inout VirtualCPU) throws(PolicyError) {
    do { _ = try cpu.read(subject) } catch { throw .msr(error) }
  }

  public mutating func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError) { adopted = value }

  public mutating func start(_ cpu: borrowing VirtualCPU) throws(PolicyError) {
    if hasStarted { return }
    do { held = try cpu.read(subject) } catch { throw .msr(error) }
    (host, guest) = (held, adopted ?? held)
    hasStarted = true
  }

  public mutating func willEnter(_ cpu: inout VirtualCPU, of vm: borrowing VirtualMachine) throws(PolicyError) {
    if !hasStarted { try start(cpu) }
    try write(guest, to: &cpu)
  }

  public mutating func didExit(_ cpu: inout VirtualCPU) throws(PolicyError) {
    do { try cpu.store(into: &list) } catch { throw .msr(error) }
    done.reads &+= 1
    guest = list[0].value
    held = guest
    try write(host, to: &cpu)
  }

  private mutating func write(_ value: UInt64, to cpu: inout VirtualCPU) throws(PolicyError) {
    guard value != held else {
      done.skippedWrites &+= 1
      return
    }
    list[0] = MSREntry(subject, value)
    do { try cpu.load(&list) } catch { throw .msr(error) }
    done.writes &+= 1
    held = value
  }

  public func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue {
    let register = try cpu.read(subject)
    return SubjectValue(guest: hasStarted ? guest : adopted ?? register, register: register)
  }

  public var tally: [(name: String, count: UInt64)] {
    [("reads", done.reads), ("writes", done.writes), ("skippedWrites", done.skippedWrites)]
  }

  /// A register must be readable to be restored, so a write-only one is refused.
  public static func support(on terms: Terms) -> PolicySupport { .ofOwnedRegister(terms.abilities) }
}
