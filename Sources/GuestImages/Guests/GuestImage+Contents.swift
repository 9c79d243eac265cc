// A guest with foreign code. Spectrap adds the tables that every guest has, and handlers that report an exception. The
// guest must follow the ABI in docs/guest-abi.md.

public import Registers

extension GuestImage {
  /// An image that follows the ABI: its contents, its start address, and the actions that it promises.
  ///
  /// It starts in 64-bit mode in ring 0. `entry` says how its user mode enters its kernel.
  ///
  /// - Throws: `GuestImageError.image` if a part lies outside of `Layout.image`, and `AssemblyError`.
  public init(
    _ contents: [MemoryImage], startingAt start: UInt64, promising workload: Workload, entry: Entry
  ) throws {
    for part in contents {
      let size = UInt64(part.bytes.count)
      guard part.address >= Layout.image.lowerBound, part.address <= Layout.image.upperBound,
        size <= Layout.image.upperBound - part.address
      else { throw GuestImageError.outside(part.address, size) }
    }
    guard Layout.image.contains(start) else {
      throw GuestImageError.image("its start, \(start.hex), is not in the memory of an image")
    }
    var asm = Assembler(origin: Layout.handlers, mode: .bits64)
    FaultHandlers.emit(&asm, finished: nil, pause: nil)
    let handlers = try asm.assemble()
    self.init(
      workload: workload, entry: entry,
      contents: [
        PageTables.image(mappingDevice: workload.perIteration.stores > 0), DescriptorTables.gdt, DescriptorTables.tss,
        DescriptorTables.idt(
          handlers: (0..<DescriptorTables.vectorCount).map { handlers.labels[FaultHandlers.label($0)] ?? 0 }),
        MemoryImage(address: handlers.origin, bytes: handlers.bytes),
      ] + contents,
      start: .long(rip: start, rsp: Layout.kernelStackTop),
      programs: [(title: "handlers of exceptions, ring 0", program: handlers)])
  }
}

extension GuestImageError {
  /// A part of an image lies outside of `Layout.image`.
  package static func outside(_ address: UInt64, _ size: UInt64) -> GuestImageError {
    .image(
      "its part of \(size) bytes at \(address.hex) is not in the memory of an image, which is from "
        + "\(Layout.image.lowerBound.hex) to \(Layout.image.upperBound.hex); link it with -Ttext-segment=0x8000 -z "
        + "max-page-size=0x1000")
  }
}
