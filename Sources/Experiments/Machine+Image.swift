// Loads a guest image into a machine.
// Facts: Intel SDM vol. 3A, 3.4.5 (segment types); KVM API document, section 4.13 (kvm_sregs).

package import CKVM
import GuestImages
import Hypervisor

extension Machine where P: ~Copyable {
  /// Loads the image's memory, contents and start state.
  ///
  /// - Throws: `GuestMemoryError` or `KVMError` when KVM refuses.
  mutating func load(_ image: GuestImage, iterations: [UInt32], pausingBefore pause: Int? = nil) throws {
    try vm.load(image, iterations: iterations, pausingBefore: pause)
    try vcpu.start(at: image.start)
  }
}

extension VirtualMachine {
  /// Loads the image's memory and contents.
  ///
  /// - Throws: `GuestMemoryError` or `KVMError` when KVM refuses.
  mutating func load(_ image: GuestImage, iterations: [UInt32], pausingBefore pause: Int? = nil) throws {
    try addMemory(at: 0, count: Layout.memorySize)
    // No sample may include the time in which the host allocates a page. So every page that the guest can touch is
    // touched here up to the sample records, and the used sample records are written below. (Populating the whole slot
    // would take four times as many pages at each start.) At the guest's first touch KVM still enters the page into its
    // tables; that is in a run's first samples, which the warm-up rule and the median leave out.
    for page in stride(from: 0, to: Layout.samples, by: Layout.pageSize) {
      try write([0], at: GuestPhysicalAddress(page))
    }
    for part in image.contents + GuestImage.sampleRecords(iterations, pausingBefore: pause) {
      try write(part.bytes, at: GuestPhysicalAddress(part.address))
    }
  }

  /// The guest's mailbox.
  ///
  /// - Throws: `ExperimentError.mailbox` when its content is impossible.
  func mailbox() throws -> Mailbox {
    let page = try read(Layout.pageSize, at: GuestPhysicalAddress(Layout.mailbox))
    guard let mailbox = Mailbox(page: page) else {
      throw ExperimentError.mailbox("its state is not one that a guest writes")
    }
    return mailbox
  }
}

extension VirtualCPU {
  /// Sets the vCPU's mode and registers for the guest's start.
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
  /// Sets 64-bit mode in ring 0 with the layout's tables.
  package mutating func enterLongMode() {
    cr0 = StartState.cr0
    cr3 = StartState.cr3
    cr4 = StartState.cr4
    efer = StartState.efer
    gdt.base = StartState.gdt.base
    gdt.limit = StartState.gdt.limit
    idt.base = StartState.idt.base
    idt.limit = StartState.idt.limit
    setFlatSegments(code: Selector.kernelCode, data: Selector.kernelData, isLong: true)
    tr = .taskState(Selector.taskState, at: StartState.tss.base, limit: StartState.tss.limit)
    ldt = kvm_segment()
    ldt.unusable = 1
  }
}

extension kvm_sregs {
  /// Sets CS and the data segments to segments over all of memory, in ring 0.
  package mutating func setFlatSegments(code: UInt16, data: UInt16, isLong: Bool) {
    cs = .flat(code, type: 0xb, isLong: isLong)
    let segment = kvm_segment.flat(data, type: 0x3, isLong: false)
    (ds, es, fs, gs, ss) = (segment, segment, segment, segment, segment)
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

  /// A busy task-state segment; a VM entry needs one.
  package static func taskState(_ selector: UInt16 = 0, at base: UInt64 = 0, limit: UInt32) -> kvm_segment {
    var segment = kvm_segment()
    segment.base = base
    segment.limit = limit
    segment.selector = selector
    segment.type = 0xb
    segment.present = 1
    return segment
  }
}
