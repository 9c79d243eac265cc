// Starting a guest under a pool's contract: what to request of KVM on this host, and the proof that KVM does it.

public import Hypervisor

/// A contract that a host cannot honour, and the reason.
public struct ContractRefusal: Error, Equatable, Sendable, CustomStringConvertible {
  public let reason: String
  public var description: String { "this host cannot honour the contract: \(reason)" }
}

extension PoolContract {
  /// What to request of KVM for a guest on this host: KVM's offer with the contract's feature words.
  ///
  /// It is read back from a vCPU, to prove that KVM tells the guest exactly that.
  ///
  /// - Throws: `ContractRefusal` when this host cannot honour the contract, and `KVMError` when KVM fails.
  public func guestContract(
    on kvm: borrowing KVM, offering host: HostOffer, under policy: PolicyName
  ) throws -> GuestContract {
    if let reason = refusal(at: host, under: policy) {
      throw ContractRefusal(reason: "a guest under it could not move here: \(reason)")
    }
    let offered = try GuestContract(offeredBy: kvm)
    let contract = GuestContract(cpuid: offered.cpuid.masked(by: self), archCapabilities: archCapabilities)
    var cpu = try kvm.makeVM().makeVCPU()
    try cpu.setCPUID(contract.cpuid)
    let told = try cpu.cpuid()
    let more = FeatureWords(told).missing(from: cpuid)
    guard more.isEmpty else {
      throw ContractRefusal(reason: "its KVM always tells guests \(more.list)")
    }
    let less = cpuid.missing(from: FeatureWords(told))
    guard less.isEmpty else {
      throw ContractRefusal(reason: "its KVM does not tell guests \(less.list)")
    }
    return contract
  }

  /// Why a host cannot honour the contract, by the rules for a guest that would move there; nil if it can.
  func refusal(at host: HostOffer, under policy: PolicyName) -> String? {
    switch Decision(of: guest(under: policy, subject: host.abilities.subject), to: host, under: policy) {
    case .refused(let reason), .unprotected(let reason): return reason
    case .allowed: break
    }
    // The decision allows this for a guest that was never protected; the contract's guest was promised it.
    guard !archCapabilities.contains(.ibrsAll) || host.archCapabilities.contains(.ibrsAll) else {
      return "the contract tells IBRS_ALL, which this host does not have"
    }
    return nil
  }
}

extension CPUIDModel {
  /// This CPUID with a contract's feature words and address widths.
  ///
  /// Leaves that only describe (caches, topology, the brand) stay unchanged.
  func masked(by contract: PoolContract) -> CPUIDModel {
    var masked = self
    for word in CPUIDWord.all {
      let value = contract.cpuid[word]
      // A missing leaf reads as 0; it is made only for a value that is not 0.
      guard var entry = masked[word.leaf, word.subleaf] ?? (value == 0 ? nil : CPUIDEntry(word)) else { continue }
      entry[word.register] = value | entry[word.register] & word.ignoredBits
      masked[word.leaf, word.subleaf] = entry
    }
    if contract.cpuid[CPUIDWord(0xa, 0, .eax)] == 0 { masked[0xa]?.ecx = 0 }
    masked.describe(
      vendor: contract.vendor, physicalAddressBits: contract.physicalAddressBits,
      linearAddressBits: contract.linearAddressBits)
    masked.dropMaskedState()
    return masked
  }

  /// Removes the state components that XCR0 and IA32_XSS no longer have from leaf 0DH and from the XSAVE area's size.
  ///
  /// Facts: Intel SDM vol. 1, 13.2 (leaf 0DH: EAX the size, EBX the offset, ECX bit 0 set for a supervisor component).
  private mutating func dropMaskedState() {
    guard let first = self[0xd, 0], let second = self[0xd, 1] else { return }
    let components = UInt64(first.edx | second.edx) << 32 | UInt64(first.eax | second.ecx)
    entries.removeAll { $0.function == 0xd && (2..<64).contains($0.index) && components >> UInt64($0.index) & 1 == 0 }
    // The legacy area and the header come first.
    let ends = entries.filter { $0.function == 0xd && $0.index >= 2 && $0.ecx & 1 == 0 }.map { $0.ebx &+ $0.eax }
    self[0xd, 0]?.ecx = max(576, ends.max() ?? 0)
  }
}

extension CPUIDEntry {
  fileprivate init(_ word: CPUIDWord) { self.init(function: word.leaf, index: word.subleaf) }
}

extension PoolContract {
  /// What is wrong with a contract from a file, as a clause; nil if it can be used.
  public var problem: String? {
    let known = Set(CPUIDWord.all)
    if let word = cpuid.words.subtracting(known).map(\.key).min() {
      return "\(word) is not a CPUID register that holds features"
    }
    let never = cpuid.intersection(Self.neverTold)
    if !never.words.isEmpty { return "it has \(never.names.list), which does not move with a guest" }
    guard vendor.utf8.count == 12, vendor.utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) else {
      return "a vendor has twelve characters"
    }
    guard (0...52).contains(physicalAddressBits), (0...64).contains(linearAddressBits) else {
      return "no processor has addresses of \(physicalAddressBits) and \(linearAddressBits) bits"
    }
    return nil
  }
}
