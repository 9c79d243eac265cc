// Loading a guest image into a machine: where the pure description meets KVM's structures.
// Facts: Intel SDM vol. 3A, 3.4.5 (segment types); KVM API document, section 4.13 (kvm_sregs).

package import CKVM
import GuestImages
import Hypervisor

extension Machine where P: ~Copyable {
  /// Gives the machine the image's memory, contents and start state.
  ///
  /// - Throws: `GuestMemoryError` or `KVMError` when KVM refuses.
  mutating func load(_ image: GuestImage, orders: [UInt32], pausingBefore pause: Int? = nil) throws {
    try vm.load(image, orders: orders, pausingBefore: pause)
    try vcpu.start(at: image.start)
  }
}

extension VirtualMachine {
  /// Gives the VM the image's memory and contents.
  ///
  /// - Throws: `GuestMemoryError` or `KVMError` when KVM refuses.
  mutating func load(_ image: GuestImage, orders: [UInt32], pausingBefore pause: Int? = nil) throws {
    try addMemory(at: 0, count: Layout.memorySize)
    // No sample may have in it that the host finds a page: all that the guest can touch is touched here, up to the
    // sample records; of those, as many as there are orders are written below. (Populating the whole slot would be four
    // times as many pages at each start.) What is left to the guest's first touch is an exit that KVM ends, to enter a
    // page that is there into its tables: that is in a run's first samples, which the rule of warm-up and the median
    // leave out.
    for page in stride(from: 0, to: Layout.samples, by: Layout.pageSize) {
      try write([0], at: GuestPhysicalAddress(page))
    }
    for part in image.contents + GuestImage.orders(orders, pausingBefore: pause) {
      try write(part.bytes, at: GuestPhysicalAddress(part.address))
    }
  }

  /// The guest's mailbox.
  ///
  /// - Throws: `ExperimentError.mailbox` when what stands there is no mailbox.
  func mailbox() throws -> Mailbox {
    let page = try read(Layout.pageSize, at: GuestPhysicalAddress(Layout.mailbox))
    guard let mailbox = Mailbox(page: page) else {
      throw ExperimentError.mailbox("its state is none that a guest writes")
    }
    return mailbox
  }
}

extension VirtualCPU {
  /// Puts the vCPU where a guest starts, in the mode that it starts in.
  ///
  /// - Throws: `KVMError` when KVM refuses.
  mutating func start(at state: StartState) throws(KVMError) {
    switch state {
    case .real(let ip, let sp): try startInRealMode(at: ip, stack: sp)
    case .long(let rip, let rsp):
      var special = try specialRegisters()
      special.enterLongMode()
      try setSpecialRegisters(special)
      var registers = kvm_regs()
      registers.rip = rip
      registers.rsp = rsp
      registers.rflags = 2
      try setRegisters(registers)
    }
  }
}

extension kvm_sregs {
  /// 64-bit mode in ring 0 under the layout's tables.
  package mutating func enterLongMode() {
    cr0 = StartState.cr0
    cr3 = StartState.cr3
    cr4 = StartState.cr4
    efer = StartState.efer
    gdt.base = StartState.gdt.base
    gdt.limit = StartState.gdt.limit
    idt.base = StartState.idt.base
    idt.limit = StartState.idt.limit
    cs = .flat(Selector.kernelCode, type: 0xb, isLong: true)
    let data = kvm_segment.flat(Selector.kernelData, type: 0x3, isLong: false)
    (ds, es, fs, gs, ss) = (data, data, data, data, data)
    tr = kvm_segment()
    tr.base = StartState.tss.base
    tr.limit = StartState.tss.limit
    tr.selector = Selector.taskState
    tr.type = 0xb
    tr.present = 1
    ldt = kvm_segment()
    ldt.unusable = 1
  }
}

extension kvm_segment {
  /// A segment over all of memory, in ring 0.
  fileprivate static func flat(_ selector: UInt16, type: UInt8, isLong: Bool) -> kvm_segment {
    var segment = kvm_segment()
    segment.limit = .max
    segment.selector = selector
    segment.type = type
    segment.present = 1
    segment.s = 1
    segment.g = 1
    segment.l = isLong ? 1 : 0
    segment.db = isLong ? 0 : 1
    return segment
  }
}
