// A vCPU's MSRs, read and written by the VMM.
// Facts: KVM API document, section 4.18 (KVM_GET_MSRS) and 4.19 (KVM_SET_MSRS): at most 255 in one request; KVM stops
// at the first that it refuses and tells how many it did.

import CKVM
import SystemPackage

/// An MSR and its value.
public struct MSREntry: Equatable, Sendable {
  public let msr: MSR
  public var value: UInt64

  /// The pair of an MSR and a value.
  public init(_ msr: MSR, _ value: UInt64) {
    self.msr = msr
    self.value = value
  }
}

/// An access of a vCPU's MSRs by the VMM that KVM did not perform completely.
public enum MSRAccessError: Error, Equatable, CustomStringConvertible {
  /// KVM refused to read this MSR, the one at `index` in the list.
  case unreadable(MSR, index: Int)
  /// KVM refused to write this MSR, the one at `index` in the list.
  case unwritable(MSREntry, index: Int)
  /// KVM refused the whole request.
  case refused(KVMError)

  public var description: String {
    switch self {
    case .unreadable(let msr, let index): "KVM does not read \(msr) (\(msr.hex)), number \(index) in the list"
    case .unwritable(let entry, let index):
      "KVM does not write \(entry.value.hex) to \(entry.msr) (\(entry.msr.hex)), number \(index) in the list"
    case .refused(let error): "\(error)"
    }
  }
}

/// MSRs and values in KVM's form, allocated once and used many times.
public struct MSRList: ~Copyable, Sendable {
  /// KVM's limit for one request: less than MAX_IO_MSRS (256, arch/x86/kvm/x86.c).
  public static let maximumCount = 255

  fileprivate var list: MSREntryList
  /// How many entries there are.
  public let count: Int

  /// A list of these entries, at most `maximumCount` of them.
  public init(_ entries: some Collection<MSREntry>) {
    precondition(entries.count <= Self.maximumCount)
    count = entries.count
    list = MSREntryList(capacity: entries.count)
    for (index, entry) in entries.enumerated() {
      list[index] = kvm_msr_entry(index: entry.msr.rawValue, reserved: 0, data: entry.value)
    }
  }

  /// The entry at this place in the list.
  public subscript(index: Int) -> MSREntry {
    get { MSREntry(MSR(rawValue: list[index].index), list[index].data) }
    set { list[index] = kvm_msr_entry(index: newValue.msr.rawValue, reserved: 0, data: newValue.value) }
  }
}

extension VirtualCPU {
  /// Writes the list's values into the vCPU's MSRs, in order.
  ///
  /// - Throws: `MSRAccessError` at the first that KVM refuses; those before it are written.
  public mutating func load(_ list: inout MSRList) throws(MSRAccessError) {
    let done = try transfer(.setMSRs, &list)
    if done < list.count { throw .unwritable(list[done], index: done) }
  }

  /// Reads the vCPU's MSRs into the list's values, in order.
  ///
  /// - Throws: `MSRAccessError` at the first that KVM refuses; those before it are read.
  public func store(into list: inout MSRList) throws(MSRAccessError) {
    let done = try transfer(.getMSRs, &list)
    if done < list.count { throw .unreadable(list[done].msr, index: done) }
  }

  private func transfer(_ request: Request, _ list: inout MSRList) throws(MSRAccessError) -> Int {
    do { return Int(try list.list.request(request, of: descriptor)) } catch { throw .refused(error) }
  }

  /// Reads any number of MSRs.
  ///
  /// - Throws: `MSRAccessError` at the first that KVM refuses.
  public func readMSRs(_ msrs: [MSR]) throws(MSRAccessError) -> [UInt64] {
    var values: [UInt64] = []
    for start in stride(from: 0, to: msrs.count, by: MSRList.maximumCount) {
      let part = msrs[start..<min(start + MSRList.maximumCount, msrs.count)]
      var list = MSRList(part.map { MSREntry($0, 0) })
      do { try store(into: &list) } catch { throw error.moved(by: start) }
      for index in 0..<list.count { values.append(list[index].value) }
    }
    return values
  }

  /// Writes any number of MSRs, in order.
  ///
  /// KVM may drop a value and report success: read it back.
  ///
  /// - Throws: `MSRAccessError` at the first that KVM refuses; those before it are written.
  public mutating func writeMSRs(_ entries: [MSREntry]) throws(MSRAccessError) {
    for start in stride(from: 0, to: entries.count, by: MSRList.maximumCount) {
      var list = MSRList(entries[start..<min(start + MSRList.maximumCount, entries.count)])
      do { try load(&list) } catch { throw error.moved(by: start) }
    }
  }

  /// Reads one MSR.
  ///
  /// - Throws: `MSRAccessError` when KVM refuses.
  public func read(_ msr: MSR) throws(MSRAccessError) -> UInt64 { try readMSRs([msr])[0] }

  /// Reads one MSR; returns nil if KVM does not have it.
  ///
  /// - Throws: `MSRAccessError.refused` when KVM fails to read it.
  public func readIfPresent(_ msr: MSR) throws(MSRAccessError) -> UInt64? {
    do { return try read(msr) } catch {
      if case .unreadable = error { return nil }
      throw error
    }
  }

  /// Writes one MSR; returns false if KVM does not accept the value.
  ///
  /// - Throws: `MSRAccessError.refused` when KVM fails to write it.
  public mutating func writeIfTaken(_ msr: MSR, _ value: UInt64) throws(MSRAccessError) -> Bool {
    do { try write(msr, value) } catch {
      if case .unwritable = error { return false }
      throw error
    }
    return true
  }

  /// Writes one MSR.
  ///
  /// - Throws: `MSRAccessError` when KVM refuses.
  public mutating func write(_ msr: MSR, _ value: UInt64) throws(MSRAccessError) {
    try writeMSRs([MSREntry(msr, value)])
  }
}

extension MSRAccessError {
  /// The error as a failed call; an MSR that KVM does not have is an invalid argument.
  var kvmError: KVMError {
    switch self {
    case .refused(let error): error
    case .unreadable: KVMError(.request(.getMSRs), .invalidArgument)
    case .unwritable: KVMError(.request(.setMSRs), .invalidArgument)
    }
  }

  func moved(by start: Int) -> MSRAccessError {
    switch self {
    case .unreadable(let msr, let index): .unreadable(msr, index: index + start)
    case .unwritable(let entry, let index): .unwritable(entry, index: index + start)
    case .refused: self
    }
  }
}
