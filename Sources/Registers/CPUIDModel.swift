// A CPU model: the results of CPUID as a value that can be read, changed and passed to KVM_SET_CPUID2.
//
// Facts: Intel SDM vol. 2 (CPUID); KVM API sections 4.46 and 4.71. A missing leaf reads as zeroes, as it does in a KVM
// guest for a leaf within the maximum.

/// The results of CPUID on some CPU.
public struct CPUIDModel: Hashable, Sendable {
  /// The results, at most one for each leaf and subleaf that KVM distinguishes.
  public var entries: [CPUIDEntry]

  /// A model with these results.
  public init(_ entries: [CPUIDEntry] = []) { self.entries = entries }

  /// A model from the buffer of KVM_GET_CPUID2.
  ///
  /// Before Linux 6.5 KVM does not change the count, and the buffer ends in entries that are all zeroes.
  package init(padded entries: [CPUIDEntry]) {
    let last = entries.lastIndex { $0 != CPUIDEntry(function: 0) } ?? -1
    self.init(Array(entries[...last]))
  }

  /// The result for a leaf and subleaf, nil if the model has none; setting nil removes it.
  ///
  /// The subscript's leaf and subleaf replace those in the entry that is set.
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

  /// Adds or removes a feature.
  ///
  /// Adding one makes its leaf if it is absent, and raises the highest leaf (and leaf 7's highest subleaf) so that
  /// software finds it.
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

  /// The model's features that have a constant.
  public var features: [CPUFeature] { CPUFeature.all.filter { has($0) } }

  /// The highest basic leaf (leaf 0, EAX).
  public var maximumBasicLeaf: UInt32 { self[0]?.eax ?? 0 }

  /// The highest extended leaf (leaf 0x8000_0000, EAX); nil if there is none.
  public var maximumExtendedLeaf: UInt32? {
    self[CPUIDModel.firstExtendedLeaf].map(\.eax).flatMap { $0 >= CPUIDModel.firstExtendedLeaf ? $0 : nil }
  }

  /// The first leaf that belongs to the hypervisor.
  package static let firstHypervisorLeaf: UInt32 = 0x4000_0000
  /// The first extended leaf.
  package static let firstExtendedLeaf: UInt32 = 0x8000_0000

  private mutating func raiseMaximum(toReach feature: CPUFeature) {
    // The first leaf of each range holds the highest one in EAX.
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
