// The example of the module's overview page, which shows it from the first import on.

import Host

/// Processor, KVM's module and kernel of this host; needs no KVM and no privilege.
func describeHost() -> String {
  let processor = CPUIdentity().modelName ?? "an unknown processor"
  return "\(processor), \(VendorModule().kind), Linux \(HostKernel().release ?? "of an unknown release")"
}
