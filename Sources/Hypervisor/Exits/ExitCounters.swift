// The VMM's own count of exits: the first witness. One addition per exit, no allocation. Counts may come from a file,
// so every addition wraps.

/// How many exits there were, by what the guest did and by MSR.
public struct ExitCounters: Codable, Equatable, Sendable {
  /// The accesses of one MSR that exited to the VMM.
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
  /// How often a signal ended KVM_RUN, which is not an exit of the guest.
  public internal(set) var interruptions: UInt64 = 0
  private var others: [ExitReason: UInt64] = [:]

  /// The policy's MSR, which is counted in place; every other one is counted in the table.
  public let subject: MSR
  @usableFromInline var subjectCount = MSRCount()
  private var otherMSRs: [MSR: MSRCount] = [:]
  /// Accesses of MSRs for which the table had no room: the guest chooses the MSRs.
  public private(set) var untabledMSRCount = MSRCount()
  /// How many MSRs besides the subject the table holds.
  public static let tableLimit = 1024

  /// Counters that are all zero.
  public init(subject: MSR = .specCtrl) { self.subject = subject }

  // The run loop passes the policy's subject, which is the same MSR, so that the compiler merges this comparison with
  // the policy's own.
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
  /// What the guest did to exit: KVM's reasons, with reads and writes distinguished.
  public enum Kind: Hashable, Sendable {
    case halt, portOut, portIn, mmioWrite, mmioRead, readMSR, writeMSR, other(ExitReason)

    /// The name in results.
    public var name: String {
      switch self {
      case .other(let reason): "\(reason)"
      case let kind: "\(kind)"
      }
    }
  }

  /// The guest's exits by kind, without zeroes.
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

  /// All exits of the guest.
  public var total: UInt64 { byKind.values.reduce(0, &+) }

  /// Subtracts an OUT that the VMM caused and not the guest's own work.
  public mutating func discountPortOut() { portOuts &-= 1 }

  /// The exits of one kind.
  public subscript(kind: Kind) -> UInt64 { byKind[kind] ?? 0 }

  /// Whether a write of the policy's MSR exited to the VMM.
  public var hasWrittenSubject: Bool { subjectCount.writes > 0 }

  /// The MSR accesses that exited to the VMM.
  public var byMSR: [MSR: MSRCount] {
    var result = otherMSRs
    if subjectCount != MSRCount() { result[subject] = subjectCount }
    return result
  }
}
