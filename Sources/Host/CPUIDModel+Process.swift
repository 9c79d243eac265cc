// The CPU model that this process sees, read with the CPUID instruction.
//
// Facts: Intel SDM vol. 2 (CPUID: where each leaf's subleaves end); AMD APM vol. 3, appendix E. Every loop has a bound,
// because a hypervisor may invent the results.

import CHost
public import Registers

extension CPUIDModel {
  /// The results of CPUID in this process, on its present logical processor.
  ///
  /// Leaves that name the processor (APIC IDs in 1, 0xb and 0x1f) differ from one logical processor to the next.
  public static func ofThisProcess() -> CPUIDModel {
    reading { leaf, subleaf in
      let answer = chost_cpuid(leaf, subleaf)
      return CPUIDEntry(
        function: leaf, index: CPUIDEntry.hasSubleaves(leaf) ? subleaf : 0,
        eax: answer.eax, ebx: answer.ebx, ecx: answer.ecx, edx: answer.edx)
    }
  }

  /// Only the processor's brand string, which takes five CPUID instructions; nil if there is none.
  public static var brandOfThisProcess: String? {
    let leaves = (0...4 as ClosedRange<UInt32>).map { offset -> CPUIDEntry in
      let answer = chost_cpuid(firstExtendedLeaf + offset, 0)
      return CPUIDEntry(
        function: firstExtendedLeaf + offset, eax: answer.eax, ebx: answer.ebx, ecx: answer.ecx, edx: answer.edx)
    }
    return CPUIDModel(leaves).brand
  }

  /// Walks every range of leaves with the given CPUID instruction.
  static func reading(_ cpuid: (_ leaf: UInt32, _ subleaf: UInt32) -> CPUIDEntry) -> CPUIDModel {
    var model = CPUIDModel()
    model.append(rangeFrom: 0, cpuid)
    if model.has(.hypervisor) { model.append(rangeFrom: firstHypervisorLeaf, cpuid) }
    model.append(rangeFrom: firstExtendedLeaf, cpuid)
    return model
  }

  /// KVM takes no more entries than this (KVM_MAX_CPUID_ENTRIES).
  static let maximumEntries = 256
  private static let maximumLeavesInRange: UInt32 = 64
  private static let maximumSubleaves: UInt32 = 64

  private mutating func append(rangeFrom first: UInt32, _ cpuid: (UInt32, UInt32) -> CPUIDEntry) {
    let head = cpuid(first, 0)
    // Outside its ranges a CPU may return another leaf's data instead of a count of leaves.
    guard head.eax & 0xf000_0000 == first else { return }
    let last = first + min(head.eax - first, CPUIDModel.maximumLeavesInRange - 1)
    for leaf in first...last {
      var subleaf: UInt32 = 0
      var entry = cpuid(leaf, 0)
      let start = entry
      while entries.count < CPUIDModel.maximumEntries {
        if subleaf == 0 || !entry.isEmptySubleaf { entries.append(entry) }
        guard CPUIDEntry.hasSubleaves(leaf), subleaf + 1 < CPUIDModel.maximumSubleaves,
          entry.mayBeFollowed(startingWith: start)
        else { break }
        subleaf += 1
        entry = cpuid(leaf, subleaf)
      }
    }
  }
}

extension CPUIDEntry {
  fileprivate var isEmptySubleaf: Bool { eax == 0 && ebx == 0 && ecx == 0 && edx == 0 }

  /// Whether a subleaf after this one can hold anything, `start` being the leaf's subleaf 0.
  fileprivate func mayBeFollowed(startingWith start: CPUIDEntry) -> Bool {
    switch function {
    case 4, 0x8000_001d: eax & 0x1f != 0  // cache type 0: no more caches
    case 0xb, 0x1f: ecx >> 8 & 0xff != 0  // level type 0: no more levels
    case 0xd: true  // one subleaf for each state component, with gaps
    case 0xf, 0x10: index < 3
    case 0x12: index < 2 || eax & 0xf != 0  // type 0: no more EPC sections
    case 0x1e: index < 1
    default: index < start.eax  // 7, 0x14, 0x17, 0x18, 0x1d, 0x24: the highest subleaf
    }
  }
}
