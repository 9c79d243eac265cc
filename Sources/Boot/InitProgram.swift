// Spectrap's own first process for a Linux guest. It measures the kernel's work and writes the figures to ports. It is
// a static program without a library, assembled here and put into its own initramfs, so that any kernel runs it.
// Facts: Linux arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/mman-common.h; iopl(2): ring 3 reaches
// every port.

import Devices
import GuestImages
import Images

/// The program /init, and what it measures.
struct InitProgram {
  /// A kind of work that is repeated and timed.
  enum Block: UInt32, CaseIterable {
    /// getppid(2).
    case systemCall = 1
    /// A store to a mapped page.
    case touchedPage = 2
    /// A store to a page that the kernel has not mapped yet.
    case untouchedPage = 3
    /// A byte to another process through a pipe, and a byte back.
    case pipe = 4

    /// The mark before its first sample; the mark after its last sample is one more.
    var mark: UInt32 { rawValue * 2 }
  }

  /// The mark when user space is reached.
  static let startMark: UInt32 = 0
  /// The word before each block's figures.
  static let magic: UInt32 = 0x5350_4354

  /// Samples of each length in a block.
  static let samples = 40
  /// Repetitions in a short sample; a long one has twice as many.
  let repetitions: Int
  /// The usual number of repetitions, under every policy.
  ///
  /// It must not depend on the policy, because a page fault costs more when more of them come in a row. It is small, so
  /// that most samples contain no timer tick even where each write is trapped.
  static let usualRepetitions = 2

  /// The most bytes of a file that are passed on; /proc/cpuinfo has fewer for one processor.
  private static let textSize = 4096
  private static let loadAddress: UInt64 = 0x40_0000
  private static let headerSize = 64 + 56
  private var regionSize: Int { Self.samples * 3 * repetitions * 4096 }

  /// The initramfs with the program.
  ///
  /// - Throws: `AssemblyError` when the program is wrong.
  func archive() throws(AssemblyError) -> [UInt8] {
    var archive = Archive()
    archive.add("dev", .folder)
    // The kernel opens it as the standard output of /init.
    archive.add("dev/console", .device(major: 5, minor: 1))
    archive.add("sys", .folder)
    archive.add("proc", .folder)
    archive.add("init", .program(try elf()))
    return archive.bytes
  }

  /// The program as an ELF file with one segment that is readable, writable and executable.
  func elf() throws(AssemblyError) -> [UInt8] {
    let program = try self.program()
    let size = UInt64(Self.headerSize + program.bytes.count)
    var header: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    // ET_EXEC, EM_X86_64, version 1, entry, program headers at 64, no sections, flags, sizes and counts.
    header += numbers(2, 62, as: UInt16.self) + numbers(1, as: UInt32.self)
    header += numbers(program.origin, 64, 0, as: UInt64.self) + numbers(0, as: UInt32.self)
    header += numbers(64, 56, 1, 64, 0, 0, as: UInt16.self)
    // PT_LOAD, read, write and execute, from the file's start on.
    header += numbers(1, 7, as: UInt32.self)
    header += numbers(0, Self.loadAddress, Self.loadAddress, size, size, 4096, as: UInt64.self)
    return header + program.bytes
  }

  private func numbers<T: FixedWidthInteger>(_ numbers: T..., as: T.Type) -> [UInt8] {
    numbers.flatMap(\.littleEndianBytes)
  }

  // MARK: The program

  private func program() throws(AssemblyError) -> Program {
    var asm = Assembler(origin: Self.loadAddress + UInt64(Self.headerSize), mode: .bits64)
    asm.mov(.edi, 3)
    asm.mov(.eax, 172, "iopl(3)")
    asm.syscall()
    asm.cmp(.rax, 0)
    asm.jcc(.notEqual, "refused")
    mark(Self.startMark, &asm)
    tell("mitigation", of: "sysfs", at: "sys", &asm)
    tell("processor", of: "procfs", at: "proc", &asm)
    makeRegion(&asm)
    makePeer(&asm)
    // Since the fork this page is copied at its first store, which would be a fault in a sample. The other process has
    // such faults in its first round trip.
    asm.mov(.r12, "results")
    asm.mov(.at(.r12), .rax)
    asm.mov(.at(.r12, Self.samples * 32 - 8), .rax)
    pingPong(&asm)

    asm.bind("again")
    measure(.systemCall, &asm) { asm in
      asm.mov(.eax, 110, "getppid")
      asm.syscall()
    }
    touchEverything(&asm)
    asm.mov(.r14, .rip("region"))
    measure(.touchedPage, &asm, touch)
    // Gives the pages back, so that each store faults again.
    advise(4, &asm, "MADV_DONTNEED")
    asm.mov(.r14, .rip("region"))
    measure(.untouchedPage, &asm, touch)
    measure(.pipe, &asm, pingPong)
    asm.mov(.edx, Doorbell.endPort)
    asm.out(.dx, .al, "done")
    // A guest that is resumed here measures once more.
    asm.jmp("again")

    asm.bind("refused")
    asm.mov(.edi, 1)
    asm.mov(.rsi, "refusal")
    asm.mov(.edx, Self.refusalText.count)
    asm.mov(.eax, 1, "write")
    asm.syscall()
    asm.mov(.edi, 1)
    asm.mov(.eax, 60, "exit")
    asm.syscall()
    appendData(&asm)
    return try asm.assemble()
  }

  private static let refusalText = Array("spectrap: iopl(2) is refused: this kernel lets no process use ports\n".utf8)

  private func appendData(_ asm: inout Assembler) {
    func bind(_ label: Label, _ bytes: [UInt8]) {
      asm.bind(label)
      asm.bytes(bytes)
    }
    bind("refusal", Self.refusalText)
    bind("sysfs", Array("sysfs\0".utf8))
    bind("sys", Array("/sys\0".utf8))
    bind("mitigation", Array("/sys/devices/system/cpu/vulnerabilities/spectre_v2\0".utf8))
    bind("byte", [0])
    bind("there", [UInt8](repeating: 0, count: 8))
    bind("back", [UInt8](repeating: 0, count: 8))
    bind("region", [UInt8](repeating: 0, count: 8))
    bind("procfs", Array("proc\0".utf8))
    bind("proc", Array("/proc\0".utf8))
    bind("processor", Array("/proc/cpuinfo\0".utf8))
    bind("text", [UInt8](repeating: 0, count: Self.textSize))
    // 32 bytes for a short and a long sample: each one's first and last time stamp.
    bind("results", [UInt8](repeating: 0, count: Self.samples * 32))
  }

  private func mark(_ mark: UInt32, _ asm: inout Assembler) {
    asm.mov(.edx, Doorbell.markPort)
    asm.mov(.eax, mark)
    asm.out(.dx, .eax, "mark \(mark)")
  }

  /// Writes the beginning of a file to the text port; nothing if the file cannot be read.
  ///
  /// `system` is the type of the kernel's file system that is mounted at `place` for it.
  private func tell(_ file: Label, of system: Label, at place: Label, _ asm: inout Assembler) {
    let untold = Label("\(file).untold")
    asm.mov(.rdi, system)
    asm.mov(.rsi, place)
    asm.mov(.rdx, system)
    asm.xor(.r10, .r10)
    asm.xor(.r8, .r8)
    asm.mov(.eax, 165, "mount")
    asm.syscall()
    asm.mov(.rdi, file)
    asm.xor(.esi, .esi)
    asm.xor(.edx, .edx)
    asm.mov(.eax, 2, "open")
    asm.syscall()
    asm.cmp(.rax, 0)
    asm.jcc(.less, untold)
    asm.mov(.rdi, .rax)
    asm.mov(.rsi, "text")
    asm.mov(.edx, Self.textSize)
    asm.mov(.eax, 0, "read")
    asm.syscall()
    asm.cmp(.rax, 0)
    asm.jcc(.lessOrEqual, untold)
    asm.mov(.rcx, .rax)
    asm.mov(.rsi, "text")
    asm.mov(.edx, Doorbell.textPort)
    asm.rep(.outsb)
    asm.bind(untold)
  }

  /// Times a body in alternating short and long samples, and writes the time stamps to the data port.
  private func measure(_ block: Block, _ asm: inout Assembler, _ body: (inout Assembler) -> Void) {
    let name = "\(block)"
    mark(block.mark, &asm)
    asm.mov(.ebx, Self.samples)
    asm.mov(.r12, "results")
    asm.bind(Label("\(name).sample"))
    for (length, offset) in [(repetitions, 0), (2 * repetitions, 16)] {
      let again = Label("\(name).\(length)")
      stamp(offset, &asm)
      asm.mov(.r13, length)
      asm.bind(again)
      body(&asm)
      asm.dec(.r13)
      asm.jcc(.notZero, again)
      stamp(offset + 8, &asm)
    }
    asm.add(.r12, 32)
    asm.dec(.ebx)
    asm.jcc(.notZero, Label("\(name).sample"))
    mark(block.mark + 1, &asm)
    asm.mov(.edx, Doorbell.dataPort)
    for word in [Self.magic, block.rawValue, UInt32(repetitions), UInt32(Self.samples)] {
      asm.mov(.eax, word)
      asm.out(.dx, .eax)
    }
    asm.mov(.rsi, "results")
    asm.mov(.ecx, Self.samples * 8)
    asm.rep(.outsd)
  }

  /// Stores the time-stamp counter in the results, ordered against the instructions before and after it.
  private func stamp(_ offset: Int, _ asm: inout Assembler) {
    asm.lfence()
    asm.rdtsc()
    asm.lfence()
    asm.shl(.rdx, 32)
    asm.add(.rax, .rdx)
    asm.mov(.at(.r12, offset), .rax)
  }

  // MARK: Pages

  private func touch(_ asm: inout Assembler) {
    asm.mov(.byte, .at(.r14), 1)
    asm.add(.r14, 4096)
  }

  /// Maps memory for every page of a block, in pages of 4 KiB.
  private func makeRegion(_ asm: inout Assembler) {
    asm.xor(.edi, .edi)
    asm.mov(.esi, regionSize)
    asm.mov(.edx, 3, "PROT_READ | PROT_WRITE")
    asm.mov(.r10, 0x22, "MAP_PRIVATE | MAP_ANONYMOUS")
    asm.mov(.r8, -1)
    asm.xor(.r9, .r9)
    asm.mov(.eax, 9, "mmap")
    asm.syscall()
    asm.mov(.rip("region"), .rax)
    advise(15, &asm, "MADV_NOHUGEPAGE")
  }

  private func advise(_ advice: Int, _ asm: inout Assembler, _ comment: String) {
    asm.mov(.rdi, .rip("region"))
    asm.mov(.esi, regionSize)
    asm.mov(.edx, advice, comment)
    asm.mov(.eax, 28, "madvise")
    asm.syscall()
  }

  private func touchEverything(_ asm: inout Assembler) {
    asm.mov(.r14, .rip("region"))
    asm.mov(.r13, regionSize / 4096)
    asm.bind("everything")
    touch(&asm)
    asm.dec(.r13)
    asm.jcc(.notZero, "everything")
  }

  // MARK: The other process

  /// Sends a byte to the other process and waits for one back.
  private func pingPong(_ asm: inout Assembler) {
    asm.mov(.edi, .rip("there", 4))
    asm.mov(.rsi, "byte")
    asm.mov(.edx, 1)
    asm.mov(.eax, 1, "write")
    asm.syscall()
    asm.mov(.edi, .rip("back"))
    asm.mov(.eax, 0, "read")
    asm.syscall()
  }

  /// Makes two pipes, and a process that sends back every byte.
  private func makePeer(_ asm: inout Assembler) {
    for label in ["there", "back"] as [Label] {
      asm.mov(.rdi, label)
      asm.mov(.eax, 22, "pipe")
      asm.syscall()
    }
    asm.mov(.eax, 57, "fork")
    asm.syscall()
    asm.cmp(.rax, 0)
    asm.jcc(.notEqual, "parent")
    asm.bind("child")
    asm.mov(.edi, .rip("there"))
    asm.mov(.rsi, "byte")
    asm.mov(.edx, 1)
    asm.mov(.eax, 0, "read")
    asm.syscall()
    asm.mov(.edi, .rip("back", 4))
    asm.mov(.eax, 1, "write")
    asm.syscall()
    asm.jmp("child")
    asm.bind("parent")
  }
}
