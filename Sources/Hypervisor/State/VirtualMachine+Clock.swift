// The VM's clock: what KVM's paravirtual clocks show a guest.
// Facts: KVM API document, sections 4.29 (KVM_GET_CLOCK) and 4.30 (KVM_SET_CLOCK).

import CKVM

extension VirtualMachine {
  /// The clock in nanoseconds, nil where KVM does not tell.
  func clock() -> UInt64? {
    var data = kvm_clock_data()
    return (try? descriptor.request(.getClock, &data)) == nil ? nil : data.clock
  }

  /// Has the clock go on from a value in nanoseconds; no where it stands before it then.
  mutating func setClock(to nanoseconds: UInt64) -> Bool {
    var data = kvm_clock_data()
    data.clock = nanoseconds
    guard (try? descriptor.request(.setClock, &data)) != nil, let held = clock() else { return false }
    return held >= nanoseconds
  }
}
