// probe: reads and writes the MSR in real mode, with valid and reserved values, and survives each #GP.
// Facts: Intel SDM vol. 2, RDMSR and WRMSR (both two bytes long; #GP also in real mode); vol. 3A, 20.1.4 (real-mode
// vectors).

import Registers

/// One access of the workload `probe`.
public enum ProbeStep: Int, CaseIterable, Sendable {
  case readAtStart
  case writeOne
  case readOne
  case writeReserved
  case readAfterReserved
  case writeZero
  case readAtEnd

  /// The result of a step.
  public struct Outcome: Equatable, Sendable {
    public let step: ProbeStep
    /// Whether the access raised #GP.
    public let faulted: Bool
    /// The value that was read, or was to be written.
    public let value: UInt64
  }

  /// The value that the step writes; nil if it reads.
  public var written: UInt64? {
    switch self {
    case .writeOne: 1
    case .writeReserved: Self.reservedBit
    case .writeZero: 0
    default: nil
    }
  }

  /// The highest bit, which is reserved in every SPEC_CTRL.
  public static let reservedBit: UInt64 = 1 << 63
}

extension Workload {
  static let probe: Workload = {
    var workload = Workload(
      name: .probe, summary: "reads, writes, writes a reserved bit, reads back, surviving each #GP (real mode)",
      entries: [.none])
    workload.isUniform = false
    workload.perIteration.reads = UInt64(ProbeStep.allCases.count { $0.written == nil })
    workload.perIteration.writes = UInt64(ProbeStep.allCases.count { $0.written != nil })
    return workload
  }()
}

// MARK: The guest

/// The real-mode guest of the workload `probe`: CS stays 0, and DS points to the mailbox.
enum ProbeGuest {
  /// The value that the #GP handler leaves in ECX; no MSR has this number.
  private static let refused: UInt32 = .max

  static func image(_ workload: Workload, msr: MSR) throws -> GuestImage {
    let program = try program(msr: msr)
    guard program.origin + UInt64(program.bytes.count) <= Layout.kernelTextEnd else {
      throw GuestImageError.tooLong("kernel")
    }
    // A real-mode vector is the offset, then the segment.
    let vectors = (0..<DescriptorTables.vectorCount).flatMap { vector -> [UInt8] in
      let offset = program.labels[vector == 13 ? "refused" : FaultHandlers.label(vector)] ?? 0
      return [UInt8(truncatingIfNeeded: offset), UInt8(truncatingIfNeeded: offset >> 8), 0, 0]
    }
    return GuestImage(
      workload: workload, entry: .none,
      contents: [
        MemoryImage(address: Layout.vectorTable, bytes: vectors),
        MemoryImage(address: program.origin, bytes: program.bytes),
      ],
      start: .real(ip: UInt16(Layout.kernelText), sp: UInt16(Layout.kernelStackTop)),
      programs: [(title: "kernel, real mode", program: program)])
  }

  private static func program(msr: MSR) throws -> Program {
    var asm = Assembler(origin: Layout.kernelText, mode: .bits16)
    asm.bind("boot", "real mode begins here")
    asm.mov(.ax, UInt16(Layout.mailbox >> 4))
    asm.mov(.ds, .ax, "DS points to the mailbox")
    asm.mov(.dword, field(Mailbox.Offset.state), Mailbox.State.running.rawValue)
    asm.mov(.edi, field(Mailbox.Offset.samples), "the number of samples, from the VMM")
    asm.mov(.ax, UInt16(Layout.samples >> 4))
    asm.mov(.es, .ax, "ES points to the records")
    asm.xor(.bx, .bx, "the first record")
    asm.xor(.esi, .esi, "no pass yet")

    asm.bind("sample")
    asm.cmp(.dword, record(SampleRecord.Offset.pause), 0, "does the VMM want a pause?")
    asm.jcc(.equal, "timed")
    asm.out(Port.pause, .al, "the VMM may save or move the guest here")
    asm.bind("timed")
    asm.mov(.ebp, record(SampleRecord.Offset.iterations), "the number of passes, from the VMM")
    stamp(&asm, SampleRecord.Offset.start, "the time before")
    asm.bind("pass")
    asm.inc(.esi, "counts the pass")
    for step in ProbeStep.allCases { emit(step, msr: msr, &asm) }
    asm.dec(.ebp)
    asm.jcc(.notZero, "pass")
    stamp(&asm, SampleRecord.Offset.end, "the time after")
    asm.add(.bx, SampleRecord.size, "the next record")
    asm.cmp(.bx, 0xfff0, "the end of the segment")
    asm.jcc(.below, "sameSegment")
    asm.mov(.ax, .es)
    asm.add(.ax, 0xfff, "65520 bytes on")
    asm.mov(.es, .ax)
    asm.xor(.bx, .bx)
    asm.bind("sameSegment")
    asm.dec(.edi)
    asm.jcc(.notZero, "sample")

    asm.mov(field(Mailbox.Offset.kernelEntries), .esi)
    asm.mov(.dword, field(Mailbox.Offset.state), Mailbox.State.done.rawValue)
    asm.out(Port.doorbell, .al, "the VMM takes over")
    asm.hlt()

    asm.bind("refused", "#GP: marks the access as refused, in ECX")
    asm.push(.bp)
    asm.mov(.bp, .sp)
    asm.add(.word, .at(.bp, 2), 2, "steps over the RDMSR or WRMSR")
    asm.pop(.bp)
    asm.mov(.ecx, refused)
    asm.iretw()
    emitFaultHandlers(&asm)
    return try asm.assemble()
  }

  /// One access, and its outcome in the mailbox.
  ///
  /// ECX is 0 after it unless the #GP handler ran.
  private static func emit(_ step: ProbeStep, msr: MSR, _ asm: inout Assembler) {
    let offset = Mailbox.Offset.probeSteps + step.rawValue * 16
    let done = Label("done_\(step)")
    asm.mov(.eax, UInt32(truncatingIfNeeded: step.written ?? 0), "\(step)")
    asm.mov(.edx, UInt32(truncatingIfNeeded: (step.written ?? 0) >> 32))
    asm.mov(field(offset + 8), .eax)
    asm.mov(field(offset + 12), .edx)
    asm.mov(.ecx, msr.rawValue)
    if step.written == nil { asm.rdmsr() } else { asm.wrmsr() }
    // ECX is the handler's mark, or still the MSR's number if the access succeeded.
    asm.cmp(.ecx, refused)
    asm.jcc(.equal, done)
    asm.xor(.ecx, .ecx)
    if step.written == nil {
      asm.mov(field(offset + 8), .eax)
      asm.mov(field(offset + 12), .edx)
    }
    asm.bind(done)
    asm.mov(field(offset), .ecx, "0, or the mark of a #GP")
  }

  private static func emitFaultHandlers(_ asm: inout Assembler) {
    for vector in 0..<DescriptorTables.vectorCount where vector != 13 {
      asm.bind(FaultHandlers.label(vector))
      asm.push(vector)
      asm.jmp("fault")
    }
    // The stack now: vector, IP, CS, FLAGS.
    asm.bind("fault", "writes a report and gives up")
    asm.mov(.bp, .sp)
    for (index, offset) in [
      Mailbox.Offset.faultVector, Mailbox.Offset.faultRIP, Mailbox.Offset.faultCS,
    ].enumerated() {
      asm.mov(.ax, .at(.bp, index * 2).through(.ss))
      asm.mov(field(offset), .ax)
    }
    asm.mov(.dword, field(Mailbox.Offset.state), Mailbox.State.faulted.rawValue)
    asm.out(Port.doorbell, .al, "the VMM takes over")
    asm.hlt()
  }

  private static func stamp(_ asm: inout Assembler, _ offset: Int, _ comment: String) {
    asm.lfence()
    asm.rdtsc(comment)
    asm.lfence()
    asm.mov(record(offset), .eax)
    asm.mov(record(offset + 4), .edx)
  }

  /// A field of the mailbox, through DS.
  private static func field(_ offset: Int) -> Memory { .absolute(offset) }
  /// A field of the sample record, through ES.
  private static func record(_ offset: Int) -> Memory { .at(.bx, offset).through(.es) }
}
