// A vCPU's registers, CPUID, events and clock.
// Facts: KVM API document, sections 4.11 to 4.14 (registers), 4.20 (CPUID), 4.31 (events), 4.56 (TSC), 4.16
// (translate).

public import CKVM
import SystemPackage

extension VirtualCPU {
  /// The general registers, RIP and RFLAGS.
  ///
  /// - Throws: `KVMError` when KVM refuses.
  public func registers() throws(KVMError) -> kvm_regs {
    var value = kvm_regs()
    try descriptor.request(.getRegisters, &value)
    return value
  }

  /// Sets the general registers, RIP and RFLAGS.
  ///
  /// - Throws: `KVMError` when KVM refuses.
  public mutating func setRegisters(_ value: kvm_regs) throws(KVMError) {
    var value = value
    try descriptor.request(.setRegisters, &value)
  }

  /// The segment, control and table registers, and IA32_EFER.
  ///
  /// - Throws: `KVMError` when KVM refuses.
  public func specialRegisters() throws(KVMError) -> kvm_sregs {
    var value = kvm_sregs()
    try descriptor.request(.getSpecialRegisters, &value)
    return value
  }

  /// Sets the segment, control and table registers, and IA32_EFER.
  ///
  /// - Throws: `KVMError` when KVM refuses, for instance a combination that no processor has.
  public mutating func setSpecialRegisters(_ value: kvm_sregs) throws(KVMError) {
    var value = value
    try descriptor.request(.setSpecialRegisters, &value)
  }

  /// Sets the vCPU to real mode at `ip` with all segments 0, where a small guest can begin without a boot loader.
  ///
  /// - Throws: `KVMError` when KVM refuses.
  public mutating func startInRealMode(at ip: UInt16, stack sp: UInt16 = 0) throws(KVMError) {
    var special = try specialRegisters()
    special.cs.base = 0
    special.cs.selector = 0
    try setSpecialRegisters(special)
    var registers = kvm_regs()
    registers.rip = UInt64(ip)
    registers.rsp = UInt64(sp)
    registers.rflags = 2
    try setRegisters(registers)
  }

  /// Pending exceptions, interrupts and NMIs, and the interrupt shadow.
  ///
  /// - Throws: `KVMError` when KVM refuses.
  public func events() throws(KVMError) -> kvm_vcpu_events {
    var value = kvm_vcpu_events()
    try descriptor.request(.getEvents, &value)
    return value
  }

  /// Sets pending exceptions, interrupts and NMIs, and the interrupt shadow.
  ///
  /// - Throws: `KVMError` when KVM refuses.
  public mutating func setEvents(_ value: kvm_vcpu_events) throws(KVMError) {
    var value = value
    try descriptor.request(.setEvents, &value)
  }

  /// Sets the guest's CPUID; possible only before the first run.
  ///
  /// KVM may drop bits and report success, so read `cpuid()` back.
  ///
  /// - Throws: `KVMError` when KVM refuses.
  public mutating func setCPUID(_ model: CPUIDModel) throws(KVMError) {
    var list = CPUIDEntryList(capacity: model.entries.count)
    for (index, entry) in model.entries.enumerated() { list[index] = entry.kvmEntry }
    try list.request(.setCPUID2, of: descriptor)
  }

  /// The CPUID that the guest sees.
  ///
  /// - Throws: `KVMError` when KVM refuses.
  public func cpuid() throws(KVMError) -> CPUIDModel {
    var list = CPUIDEntryList(capacity: 512)
    try list.request(.getCPUID2, of: descriptor)
    return CPUIDModel(padded: (0..<list.count).map { CPUIDEntry(list[$0]) })
  }

  /// The frequency of the guest's time-stamp counter in kHz; nil if KVM does not report one.
  ///
  /// - Throws: `KVMError` when KVM fails.
  public func tscFrequency() throws(KVMError) -> Int? {
    let kilohertz: CInt?
    // EIO on a host whose TSC is not stable (section 4.56).
    do { kilohertz = try descriptor.request(.getTSCFrequency) } catch { kilohertz = try error.absent(or: .ioError) }
    return kilohertz.flatMap { $0 > 0 ? Int($0) : nil }
  }

  /// Sets the rate of the guest's time-stamp counter in kHz; returns false if KVM refuses it.
  ///
  /// KVM may report success all the same: read it back.
  ///
  /// - Throws: `KVMError` when KVM fails.
  func setTSCFrequency(_ kilohertz: Int) throws(KVMError) -> Bool {
    do { try descriptor.request(.setTSCFrequency, UInt(kilohertz)) } catch {
      let taken: Bool? = try error.absent(or: .ioError)
      return taken ?? false
    }
    return true
  }

  /// The guest-physical address of a linear address; nil if the guest's page tables do not map it.
  ///
  /// - Throws: `KVMError` when KVM fails.
  public func physicalAddress(ofLinear address: UInt64) throws(KVMError) -> GuestPhysicalAddress? {
    var translation = kvm_translation()
    translation.linear_address = address
    try descriptor.request(.translate, &translation)
    return translation.valid == 0 ? nil : GuestPhysicalAddress(rawValue: translation.physical_address)
  }
}
