// Which MSR accesses of the guest KVM hands to the VMM.
// Facts: KVM API document, sections 4.97 (KVM_X86_SET_MSR_FILTER) and 7.21 (KVM_CAP_X86_USER_SPACE_MSR).

import CKVM

/// Why KVM would hand an MSR access to the VMM (`kvm_run.msr.reason`).
public struct MSRExitReasons: OptionSet, Hashable, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// KVM knows the MSR but refuses the access or the value.
  public static let invalid = Self(rawValue: UInt32(KVM_MSR_EXIT_REASON_INVAL))
  /// KVM does not know the MSR.
  public static let unknown = Self(rawValue: UInt32(KVM_MSR_EXIT_REASON_UNKNOWN))
  /// The MSR filter denies the access.
  public static let filter = Self(rawValue: UInt32(KVM_MSR_EXIT_REASON_FILTER))
}

/// Which of the guest's MSR accesses KVM performs itself, and which it denies.
///
/// Denied accesses exit to the VMM where `VirtualMachine.enableMSRExits(.filter)` was called, and fault in the guest
/// otherwise. KVM never filters the x2APIC MSRs, 0x800 to 0x8ff.
public struct MSRFilter: Equatable, Sendable {
  /// What the guest does with an MSR.
  public struct Access: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// RDMSR.
    public static let read = Self(rawValue: UInt32(KVM_MSR_FILTER_READ))
    /// WRMSR.
    public static let write = Self(rawValue: UInt32(KVM_MSR_FILTER_WRITE))
    /// Both.
    public static let all: Self = [.read, .write]
  }

  /// What happens to an MSR that no range covers.
  public enum Default: Sendable { case allow, deny }

  /// One range of MSRs, and which of them the guest may access.
  public struct Range: Equatable, Sendable {
    public let msrs: ClosedRange<MSR>
    /// The kinds of access that this range decides; others fall to the default.
    public let accesses: Access
    /// One bit per MSR, the lowest first: 1 allows, 0 denies.
    let bitmap: [UInt8]

    /// A range that denies the accesses of each MSR for which `allowed` says no.
    public init(_ msrs: ClosedRange<MSR>, accesses: Access, allowing allowed: (MSR) -> Bool = { _ in false }) {
      self.msrs = msrs
      self.accesses = accesses
      // A range beyond the limit is refused when the filter is set, and needs no bits for all of its MSRs until then.
      let count = min(
        Int(msrs.upperBound.rawValue - msrs.lowerBound.rawValue) + 1, MSRFilter.maximumMSRsPerRange)
      var bitmap = [UInt8](repeating: 0, count: (count + 63) / 64 * 8)
      for bit in 0..<count
      where allowed(MSR(rawValue: msrs.lowerBound.rawValue + UInt32(bit))) {
        bitmap[bit / 8] |= 1 << UInt8(bit % 8)
      }
      self.bitmap = bitmap
    }

    var count: Int { Int(msrs.upperBound.rawValue - msrs.lowerBound.rawValue) + 1 }
  }

  /// At most this many ranges in one filter.
  public static let maximumRanges = Int(KVM_MSR_FILTER_MAX_RANGES)
  /// At most this many MSRs in one range: KVM_MSR_FILTER_MAX_BITMAP_SIZE bytes of bits.
  public static let maximumMSRsPerRange = 0x600 * 8

  public var unlisted: Default
  public var ranges: [Range]

  /// A filter of these ranges.
  public init(ranges: [Range] = [], unlisted: Default = .allow) {
    self.ranges = ranges
    self.unlisted = unlisted
  }

  /// The filter that denies these accesses of exactly these MSRs.
  ///
  /// MSRs near each other share a range, so that many fit into few ranges. The filter is checked when it is set.
  public static func denying(_ msrs: some Sequence<MSR>, accesses: Access = .all) -> MSRFilter {
    let wanted = Set(msrs)
    var ranges: [Range] = []
    var pending: ClosedRange<MSR>?
    func close(_ range: ClosedRange<MSR>) {
      ranges.append(Range(range, accesses: accesses) { !wanted.contains($0) })
    }
    for msr in wanted.sorted() {
      if let open = pending, msr.rawValue - open.lowerBound.rawValue < maximumMSRsPerRange {
        pending = open.lowerBound...msr
      } else {
        if let open = pending { close(open) }
        pending = msr...msr
      }
    }
    if let open = pending { close(open) }
    return MSRFilter(ranges: ranges)
  }
}

/// A filter that KVM cannot hold.
public enum MSRFilterError: Error, Equatable, CustomStringConvertible {
  /// More ranges than KVM's 16.
  case tooManyRanges(Int)
  /// A range that is longer than KVM's bitmap.
  case rangeTooLong(ClosedRange<MSR>)
  /// A range that touches the x2APIC MSRs, which KVM never filters.
  case notFilterable(ClosedRange<MSR>)
  /// A range for a kind of access that does not exist.
  case unknownAccess(ClosedRange<MSR>, MSRFilter.Access)
  /// The filter denies everything and has no range.
  case deniesEverything
  /// KVM refused the filter.
  case refused(KVMError)

  public var description: String {
    switch self {
    case .tooManyRanges(let count):
      "an MSR filter of \(count) ranges: KVM takes at most \(MSRFilter.maximumRanges)"
    case .rangeTooLong(let range):
      "an MSR range from \(range.lowerBound.hex) to \(range.upperBound.hex): KVM takes at most "
        + "\(MSRFilter.maximumMSRsPerRange) MSRs in a range"
    case .notFilterable(let range):
      "an MSR range from \(range.lowerBound.hex) to \(range.upperBound.hex): KVM never filters 0x800 to 0x8ff (x2APIC)"
    case .unknownAccess(let range, let accesses):
      "an MSR range from \(range.lowerBound.hex) to \(range.upperBound.hex) for accesses "
        + "\(accesses.rawValue.hex): only reads (1) and writes (2) exist"
    case .deniesEverything:
      "an MSR filter that denies everything and has no range: KVM refuses it; add a range, which may allow nothing"
    case .refused(let error): "\(error)"
    }
  }
}

extension MSRFilter {
  private static let x2APIC = MSR(rawValue: 0x800)...MSR(rawValue: 0x8ff)

  func apply(to vm: borrowing Descriptor) throws(MSRFilterError) {
    guard ranges.count <= Self.maximumRanges else { throw .tooManyRanges(ranges.count) }
    // KVM treats a filter without ranges as no filter, which allows everything (kvm_vm_ioctl_set_msr_filter).
    guard unlisted == .allow || !ranges.isEmpty else { throw .deniesEverything }
    for range in ranges {
      guard range.accesses.isSubset(of: .all) else { throw .unknownAccess(range.msrs, range.accesses) }
      guard range.count <= Self.maximumMSRsPerRange else { throw .rangeTooLong(range.msrs) }
      // A range across the x2APIC MSRs is fine as long as it denies none of them.
      if range.msrs.overlaps(Self.x2APIC) {
        let shared = range.msrs.clamped(to: Self.x2APIC)
        for msr in shared.lowerBound.rawValue...shared.upperBound.rawValue {
          let bit = Int(msr - range.msrs.lowerBound.rawValue)
          if range.bitmap[bit / 8] >> UInt8(bit % 8) & 1 == 0 { throw .notFilterable(range.msrs) }
        }
      }
    }
    var bits = ranges.flatMap(\.bitmap)
    do throws(KVMError) {
      // Safe: the kernel copies the bitmaps during the call, while `bits` is held in place.
      try unsafe bits.withUnsafeMutableBufferPointer { buffer throws(KVMError) in
        var filter = kvm_msr_filter()
        filter.flags = UInt32(unlisted == .allow ? KVM_MSR_FILTER_DEFAULT_ALLOW : KVM_MSR_FILTER_DEFAULT_DENY)
        var offset = 0
        // Safe: C's array of 16 imports as a tuple of 16, and there are at most 16 ranges.
        unsafe withUnsafeMutableBytes(of: &filter.ranges) { raw in
          let slots = unsafe raw.bindMemory(to: kvm_msr_filter_range.self)
          for (index, range) in ranges.enumerated() {
            unsafe slots[index] = unsafe kvm_msr_filter_range(
              flags: range.accesses.rawValue, nmsrs: UInt32(range.count), base: range.msrs.lowerBound.rawValue,
              bitmap: buffer.baseAddress.map { unsafe $0 + offset })
            offset += range.bitmap.count
          }
        }
        try vm.request(.setMSRFilter, &filter)
      }
    } catch { throw .refused(error) }
  }
}
