// The VM's clock: what KVM's paravirtual clocks show a guest.
// Facts: KVM API document, sections 4.29 (KVM_GET_CLOCK) and 4.30 (KVM_SET_CLOCK).

import CKVM

extension VirtualMachine {
  /// The clock in nanoseconds; nil if KVM does not report one.
  ///
  /// - Throws: `KVMError` when KVM fails.
  func clock() throws(KVMError) -> UInt64? {
    var data = kvm_clock_data()
    do { try descriptor.request(.getClock, &data) } catch { return try error.absent() }
    return data.clock
  }

  /// Whether KVM scales the time-stamp counters of this VM's guests.
  ///
  /// - Throws: `KVMError` when KVM fails.
  func scalesClock() throws(KVMError) -> Bool {
    // A VM answers since Linux 3.15 (KVM_CAP_CHECK_EXTENSION_VM).
    do { return try descriptor.request(.checkExtension, UInt(Capability.tscControl.rawValue)) > 0 } catch {
      let absent: Bool? = try error.absent()
      return absent ?? false
    }
  }

  /// Sets the clock in nanoseconds; returns false if it is lower afterwards, or KVM has none.
  ///
  /// - Throws: `KVMError` when KVM fails.
  mutating func setClock(to nanoseconds: UInt64) throws(KVMError) -> Bool {
    var data = kvm_clock_data()
    data.clock = nanoseconds
    do { try descriptor.request(.setClock, &data) } catch {
      let absent: Bool? = try error.absent()
      return absent ?? false
    }
    guard let held = try clock() else { return false }
    return held >= nanoseconds
  }
}
