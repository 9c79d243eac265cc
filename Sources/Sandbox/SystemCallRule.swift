// The system calls that a process needs once its guest runs: the run loop's, those of stopping, snapshots and moves,
// and those that the C library and Swift's runtime make by themselves. Whoever adds a call to one of these paths adds
// it here.
// Facts: arch/x86/entry/syscalls/syscall_64.tbl (numbers never change).

import CHost
import CKVM

/// A system call that is allowed, and on what condition.
struct SystemCallRule: Equatable {
  let number: UInt32
  let condition: Condition

  /// What an argument must be, by its lower 32 bits: only for arguments of which the kernel looks at no others, so for
  /// no pointer.
  enum Condition: Equatable {
    case always
    /// One of these values.
    case argument(Int, isOneOf: [UInt32])
    /// Any value but this.
    case forbidden(UInt32, inArgument: Int)
    /// All of the bits `set`, and none of the bits `clear`.
    case bits(Int, set: UInt32 = 0, clear: UInt32 = 0)
    /// Answered with this error in the kernel's stead.
    case fails(UInt16)
  }

  init(_ number: UInt32, _ condition: Condition = .always) {
    self.number = number
    self.condition = condition
  }
}

extension SystemCallRule {
  private static let protExec: UInt32 = 4
  private static let cloneThread: UInt32 = 0x10000
  private static let sigsys: UInt32 = 31
  private static let eacces: UInt16 = 13
  private static let enosys: UInt16 = 38

  /// The rules, the most frequent call first; `process` is this process's number.
  static func allowed(in process: UInt32) -> [SystemCallRule] {
    [
      // KVM_RUN, and what a VM and its vCPU are asked and told; how wide the terminal is, and its settings, which a
      // guest's console changed, back.
      SystemCallRule(16, .argument(1, isOneOf: requests + terminalQuestions + terminalSettings)),
      // Memory, never executable.
      SystemCallRule(9, .bits(2, clear: protExec)),  // mmap
      SystemCallRule(10, .bits(2, clear: protExec)),  // mprotect
      SystemCallRule(11),  // munmap
      SystemCallRule(12),  // brk
      SystemCallRule(25),  // mremap
      SystemCallRule(28),  // madvise
      // What is open already: results, the statistics, the other side of a move.
      SystemCallRule(0),  // read
      SystemCallRule(1),  // write
      SystemCallRule(17),  // pread64
      SystemCallRule(20),  // writev
      SystemCallRule(3),  // close
      SystemCallRule(32),  // dup
      // A refusal, and no end: malloc looks at a setting in /proc before it gives a thread's memory back, and does
      // without.
      SystemCallRule(257, .fails(eacces)),  // openat
      SystemCallRule(7),  // poll
      SystemCallRule(271),  // ppoll
      SystemCallRule(44),  // sendto
      SystemCallRule(45),  // recvfrom
      SystemCallRule(48),  // shutdown
      // Deadlines and signals. Nobody takes the handler of a refused call away.
      SystemCallRule(222),  // timer_create
      SystemCallRule(223),  // timer_settime
      SystemCallRule(226),  // timer_delete
      SystemCallRule(13, .forbidden(sigsys, inArgument: 0)),  // rt_sigaction
      SystemCallRule(14),  // rt_sigprocmask
      SystemCallRule(15),  // rt_sigreturn
      SystemCallRule(128),  // rt_sigtimedwait
      SystemCallRule(131),  // sigaltstack
      SystemCallRule(234, .argument(0, isOneOf: [process])),  // tgkill: abort(3)
      SystemCallRule(219),  // restart_syscall
      // Threads, and no other process: with clone3 the flags lie in memory, where no filter sees them. The C library
      // then uses clone.
      SystemCallRule(435, .fails(enosys)),  // clone3
      SystemCallRule(56, .bits(0, set: cloneThread)),  // clone
      SystemCallRule(273),  // set_robust_list
      SystemCallRule(334),  // rseq
      SystemCallRule(202),  // futex
      SystemCallRule(24),  // sched_yield
      SystemCallRule(203),  // sched_setaffinity
      SystemCallRule(204),  // sched_getaffinity
      SystemCallRule(39),  // getpid
      SystemCallRule(186),  // gettid
      SystemCallRule(60),  // exit
      SystemCallRule(231),  // exit_group
      // Clocks, where the kernel does not answer without a call; sleeping; random numbers for hash tables.
      SystemCallRule(228),  // clock_gettime
      SystemCallRule(229),  // clock_getres
      SystemCallRule(96),  // gettimeofday
      SystemCallRule(230),  // clock_nanosleep
      SystemCallRule(35),  // nanosleep
      SystemCallRule(98),  // getrusage
      SystemCallRule(318),  // getrandom
    ]
  }

  /// TCGETS, its younger form TCGETS2 and TIOCGWINSZ, which change nothing (asm-generic/ioctls.h).
  private static let terminalQuestions: [UInt32] = [0x5401, 0x802c_542a, 0x5413]

  /// TCSETS and its younger form TCSETS2.
  private static let terminalSettings: [UInt32] = [0x5402, 0x402c_542b]

  /// What is asked of a VM and a vCPU once the guest runs.
  ///
  /// That is to run, to tell the guest's state, to change what is intercepted, to copy the memory and to give it up;
  /// nothing that gives a vCPU another state, or that makes anything.
  private static let requests: [UInt32] = [
    Request.run,
    .getRegisters, .getSpecialRegisters, .getMSRs, .setMSRs, .getXSAVE, .getXCRs, .getEvents, .getDebugRegisters,
    .getMPState, .translate, .getTSCFrequency, .getClock, .getMSRIndexList,
    .setMSRFilter, .setUserMemoryRegion, .getDirtyLog, .getStatisticsDescriptor,
    // A device of the VMM's interrupts its guest.
    .irqLine,
  ].map { UInt32($0.rawValue) }
}
