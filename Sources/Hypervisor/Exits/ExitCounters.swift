// The VMM's own count of exits: the first witness. A few instructions per exit, no allocation.

/// How many exits there were, by KVM's reason and by MSR.
public struct ExitCounters: Sendable {
  /// What the guest did with one MSR, as far as it reached the VMM.
  public struct MSRCount: Equatable, Sendable, BitwiseCopyable {
    public var reads: UInt64 = 0
    public var writes: UInt64 = 0
    @usableFromInline init() {}
  }

  @usableFromInline var reasons: [64 of UInt64] = .init(repeating: 0)
  @usableFromInline var unnamedReasons: UInt64 = 0
  /// The MSR that a policy is about is counted in place, every other one in the table.
  @usableFromInline let subject: MSR
  @usableFromInline var subjectCount = MSRCount()
  @usableFromInline var otherMSRs: [MSR: MSRCount] = [:]
  /// Accesses of MSRs for which the table had no room: a guest chooses what it accesses.
  @usableFromInline var uncountedMSRAccesses: UInt64 = 0
  @usableFromInline static let tableLimit = 1024

  /// Zero of everything; `subject` is the MSR that is counted fastest.
  public init(subject: MSR = .specCtrl) { self.subject = subject }

  @inlinable @inline(__always) mutating func count(_ reason: UInt32) {
    if reason < 64 { reasons[Int(reason)] &+= 1 } else { unnamedReasons &+= 1 }
  }

  @inlinable @inline(__always) mutating func countRead(of msr: MSR) {
    if msr == subject { subjectCount.reads &+= 1 } else { countOther(msr, reads: 1, writes: 0) }
  }

  @inlinable @inline(__always) mutating func countWrite(of msr: MSR) {
    if msr == subject { subjectCount.writes &+= 1 } else { countOther(msr, reads: 0, writes: 1) }
  }

  @usableFromInline @inline(never) mutating func countOther(_ msr: MSR, reads: UInt64, writes: UInt64) {
    guard otherMSRs[msr] != nil || otherMSRs.count < Self.tableLimit else {
      uncountedMSRAccesses += 1
      return
    }
    otherMSRs[msr, default: MSRCount()].reads += reads
    otherMSRs[msr, default: MSRCount()].writes += writes
  }
}

extension ExitCounters {
  /// The exits of the guest's, by reason; interrupted runs are no exits and stand in `interruptions`.
  public var byReason: [ExitReason: UInt64] {
    var result: [ExitReason: UInt64] = [:]
    for index in reasons.indices where reasons[index] > 0 && index != Int(ExitReason.interrupted.rawValue) {
      result[ExitReason(rawValue: UInt32(index))] = reasons[index]
    }
    return result
  }

  /// All exits of the guest's.
  public var total: UInt64 { byReason.values.reduce(unnamedReasons, +) }

  /// How often a signal ended KVM_RUN.
  public var interruptions: UInt64 { reasons[Int(ExitReason.interrupted.rawValue)] }

  /// The exits of one reason.
  public subscript(reason: ExitReason) -> UInt64 {
    reason.rawValue < 64 ? reasons[Int(reason.rawValue)] : 0
  }

  /// The MSR accesses that reached the VMM.
  public var byMSR: [MSR: MSRCount] {
    var result = otherMSRs
    if subjectCount != MSRCount() { result[subject] = subjectCount }
    return result
  }
}
