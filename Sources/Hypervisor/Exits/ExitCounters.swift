// The VMM's own count of exits: the first witness. One addition per exit, no allocation. A count may come out of a
// file, so every addition wraps.

/// How many exits there were, by what the guest did and by MSR.
public struct ExitCounters: Codable, Equatable, Sendable {
  /// What the guest did with one MSR, as far as it reached the VMM.
  public struct MSRCount: Codable, Equatable, Sendable, BitwiseCopyable {
    public var reads: UInt64 = 0
    public var writes: UInt64 = 0
    @usableFromInline init() {}
  }

  @usableFromInline var halts: UInt64 = 0
  @usableFromInline var portOuts: UInt64 = 0
  @usableFromInline var portIns: UInt64 = 0
  @usableFromInline var mmioWrites: UInt64 = 0
  @usableFromInline var mmioReads: UInt64 = 0
  /// How often a signal ended KVM_RUN: no exit of the guest's.
  public internal(set) var interruptions: UInt64 = 0
  private var others: [ExitReason: UInt64] = [:]

  /// The MSR that a policy is about is counted in place, every other one in the table.
  public let subject: MSR
  @usableFromInline var subjectCount = MSRCount()
  private var otherMSRs: [MSR: MSRCount] = [:]
  /// Accesses of MSRs for which the table had no room: a guest chooses what it accesses.
  public private(set) var untabledMSRCount = MSRCount()
  /// How many MSRs beside the subject the table holds.
  public static let tableLimit = 1024

  /// Zero of everything; `subject` is the MSR that is counted fastest.
  public init(subject: MSR = .specCtrl) { self.subject = subject }

  // The run loop names the policy's subject, which is the same one: so the policy's own comparison is not a second one.
  @inlinable @inline(__always) mutating func countRead(of msr: MSR, subject: MSR) {
    if msr == subject { subjectCount.reads &+= 1 } else { countOther(msr, \.reads) }
  }

  @inlinable @inline(__always) mutating func countWrite(of msr: MSR, subject: MSR) {
    if msr == subject { subjectCount.writes &+= 1 } else { countOther(msr, \.writes) }
  }

  @usableFromInline @inline(never) mutating func countOther(_ msr: MSR, _ access: WritableKeyPath<MSRCount, UInt64>) {
    if otherMSRs[msr] != nil || otherMSRs.count < Self.tableLimit {
      otherMSRs[msr, default: MSRCount()][keyPath: access] &+= 1
    } else {
      untabledMSRCount[keyPath: access] &+= 1
    }
  }

  @usableFromInline @inline(never) mutating func countInterruption() { interruptions &+= 1 }

  @usableFromInline @inline(never) mutating func countOther(_ reason: ExitReason) { others[reason, default: 0] &+= 1 }
}

extension ExitCounters {
  /// What the guest did to make an exit: KVM's reasons, with reads and writes told apart.
  public enum Kind: Hashable, Sendable {
    case halt, portOut, portIn, mmioWrite, mmioRead, readMSR, writeMSR
    case other(ExitReason)

    /// The name in results.
    public var name: String {
      switch self {
      case .other(let reason): "\(reason)"
      case let kind: "\(kind)"
      }
    }
  }

  /// The exits of the guest's that there were, by what it did.
  public var byKind: [Kind: UInt64] {
    let msrs = byMSR.values
    var counts: [Kind: UInt64] = [
      .halt: halts, .portOut: portOuts, .portIn: portIns, .mmioWrite: mmioWrites, .mmioRead: mmioReads,
      .readMSR: msrs.reduce(untabledMSRCount.reads) { $0 &+ $1.reads },
      .writeMSR: msrs.reduce(untabledMSRCount.writes) { $0 &+ $1.writes },
    ]
    for (reason, count) in others { counts[.other(reason)] = count }
    return counts.filter { $0.value > 0 }
  }

  /// All exits of the guest's.
  public var total: UInt64 { byKind.values.reduce(0, &+) }

  /// Takes back an OUT that was not the guest's own work but the VMM's doing.
  public mutating func discountPortOut() { portOuts &-= 1 }

  /// The exits of one kind.
  public subscript(kind: Kind) -> UInt64 { byKind[kind] ?? 0 }

  /// Whether a write of the policy's MSR reached the VMM.
  public var hasWrittenSubject: Bool { subjectCount.writes > 0 }

  /// The MSR accesses that reached the VMM.
  public var byMSR: [MSR: MSRCount] {
    var result = otherMSRs
    if subjectCount != MSRCount() { result[subject] = subjectCount }
    return result
  }
}
