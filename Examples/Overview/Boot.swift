// The example of the module's overview page, which shows it from the first import on.

import Boot
import Experiments
import Hypervisor

/// Boots an image under the policy `emulate` for at most ten seconds, and returns a report of it.
func boot(_ image: [UInt8], printingTo line: any SerialLine) throws -> BootReport {
  let kvm = try KVM()
  let order = BootOrder(name: "image", policy: .emulate, memory: 128 << 20)
  let terms = try Terms.prove(.specCtrl, on: kvm)
  let guest = try order.prepare(GuestFile(image), initrd: nil, line: line, on: kvm, terms: terms)
  return BootReport(try guest.run(control: RunControl(timeLimit: .seconds(10))))
}
