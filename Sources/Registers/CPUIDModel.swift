// A CPU model: what CPUID answers, leaf by leaf, as a value that can be read, changed and handed to KVM_SET_CPUID2.
//
// Facts: Intel SDM vol. 2 (CPUID); KVM API sections 4.46 and 4.71. A leaf that the list does not hold reads as zeroes,
// as it does in a KVM guest for a leaf within the maximum.

/// What CPUID answers on some CPU, in the order of the entries.
public struct CPUIDModel: Hashable, Sendable {
  /// The answers, at most one for each leaf and subleaf that means anything to KVM.
  public var entries: [CPUIDEntry]

  /// A model of the given answers.
  public init(_ entries: [CPUIDEntry] = []) {
    self.entries = entries
  }

  /// A model of what KVM_GET_CPUID2 answered.
  ///
  /// Before Linux 6.5 it leaves the count as it was asked for, and behind its answers stand entries that are all
  /// zeroes.
  package init(padded entries: [CPUIDEntry]) {
    let last = entries.lastIndex { $0 != CPUIDEntry(function: 0) } ?? -1
    self.init(Array(entries[...last]))
  }

  /// The answer for a leaf and subleaf; nil when the model holds none, and setting nil removes it.
  ///
  /// The leaf and subleaf of the subscript win over those in the entry that is set.
  public subscript(leaf: UInt32, subleaf: UInt32 = 0) -> CPUIDEntry? {
    get {
      entries.first { $0.answers(leaf, subleaf) }
    }
    set {
      let position = entries.firstIndex { $0.answers(leaf, subleaf) }
      guard var entry = newValue else {
        if let position { entries.remove(at: position) }
        return
      }
      entry.function = leaf
      if entry.indexIsSignificant { entry.index = subleaf }
      if let position {
        entries[position] = entry
      } else {
        let next = entries.firstIndex { ($0.function, $0.index) > (leaf, subleaf) }
        entries.insert(entry, at: next ?? entries.endIndex)
      }
    }
  }

  /// Whether the model has a feature.
  public func has(_ feature: CPUFeature) -> Bool {
    guard let entry = self[feature.leaf, feature.subleaf] else { return false }
    return entry[feature.register] & feature.mask != 0
  }

  /// Gives or takes a feature.
  ///
  /// Giving one makes its leaf when it is absent, and raises the highest leaf (and leaf 7's highest subleaf) so that
  /// software finds it. Taking one makes nothing.
  public mutating func set(_ feature: CPUFeature, to present: Bool) {
    guard present else {
      self[feature.leaf, feature.subleaf]?[feature.register] &= ~feature.mask
      return
    }
    var entry = self[feature.leaf, feature.subleaf] ?? CPUIDEntry(function: feature.leaf, index: feature.subleaf)
    entry[feature.register] |= feature.mask
    self[feature.leaf, feature.subleaf] = entry
    raiseMaximum(toReach: feature)
  }

  /// The features that have a name here and that the model has.
  public var features: [CPUFeature] {
    CPUFeature.all.filter { has($0) }
  }

  /// The highest basic leaf (leaf 0, EAX).
  public var maximumBasicLeaf: UInt32 { self[0]?.eax ?? 0 }

  /// The highest extended leaf (leaf 0x8000_0000, EAX), or nil when there is none.
  public var maximumExtendedLeaf: UInt32? {
    self[CPUIDModel.firstExtendedLeaf].map(\.eax).flatMap { $0 >= CPUIDModel.firstExtendedLeaf ? $0 : nil }
  }

  /// The first leaf that belongs to the hypervisor.
  package static let firstHypervisorLeaf: UInt32 = 0x4000_0000
  /// The first extended leaf.
  package static let firstExtendedLeaf: UInt32 = 0x8000_0000

  private mutating func raiseMaximum(toReach feature: CPUFeature) {
    // Leaves come in ranges, and the first leaf of a range holds the highest one in EAX.
    let first = feature.leaf & 0xf000_0000
    var head = self[first] ?? CPUIDEntry(function: first)
    head.eax = max(head.eax, feature.leaf)
    self[first] = head
    guard feature.leaf == 7, feature.subleaf > 0 else { return }
    var leaf7 = self[7, 0] ?? CPUIDEntry(function: 7, index: 0)
    leaf7.eax = max(leaf7.eax, feature.subleaf)
    self[7, 0] = leaf7
  }
}
