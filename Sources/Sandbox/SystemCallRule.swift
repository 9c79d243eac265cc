// The system calls that a process needs once its guest runs: for the run loop, stopping, snapshots and moves, and those
// that the C library and Swift's runtime make. A new call on one of these paths must be added here.
// Facts: arch/x86/entry/syscalls/syscall_64.tbl (numbers never change).

import CHost
import CKVM

/// An allowed system call, and its condition.
struct SystemCallRule: Equatable {
  let number: UInt32
  let condition: Condition

  /// What an argument's lower 32 bits must be: only for arguments of which the kernel uses no other bits, so never for
  /// a pointer.
  enum Condition: Equatable {
    case always
    /// One of these values.
    case argument(Int, isOneOf: [UInt32])
    /// Any value except this.
    case forbidden(UInt32, inArgument: Int)
    /// All of the bits `set`, and none of the bits `clear`.
    case bits(Int, set: UInt32 = 0, clear: UInt32 = 0)
    /// The call fails with this error without being made.
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

  /// The rules, the most frequent call first.
  ///
  /// - Parameters:
  ///   - process: this process's number.
  ///   - children: the numbers of its children, whose end it waits for.
  static func allowed(in process: UInt32, awaiting children: [UInt32] = []) -> [SystemCallRule] {
    let usual = [
      // KVM_RUN and other requests to the VM and its vCPU; the terminal's width, and restoring the terminal's settings
      // that a guest's console changed.
      SystemCallRule(16, .argument(1, isOneOf: requests + terminalQuestions + terminalSettings)),
      // Memory, never executable.
      SystemCallRule(9, .bits(2, clear: protExec)),  // mmap
      SystemCallRule(10, .bits(2, clear: protExec)),  // mprotect
      SystemCallRule(11),  // munmap
      SystemCallRule(12),  // brk
      SystemCallRule(25),  // mremap
      SystemCallRule(28),  // madvise
      // Open files: results, the statistics, the other side of a move.
      SystemCallRule(0),  // read
      SystemCallRule(1),  // write
      SystemCallRule(17),  // pread64
      SystemCallRule(20),  // writev
      SystemCallRule(3),  // close
      SystemCallRule(32),  // dup
      // Fails without ending the process: malloc reads a setting in /proc before it frees a thread's memory, and can do
      // without it.
      SystemCallRule(257, .fails(eacces)),  // openat
      SystemCallRule(7),  // poll
      SystemCallRule(271),  // ppoll
      SystemCallRule(44),  // sendto
      SystemCallRule(45),  // recvfrom
      SystemCallRule(48),  // shutdown
      // Deadlines and signals. The handler for refused calls cannot be replaced.
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
      // Threads, but no processes: clone3 has its flags in memory, where a filter cannot see them, so the C library
      // must use clone.
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
      // Clocks, if they need a system call; sleeping; random numbers for hash tables.
      SystemCallRule(228),  // clock_gettime
      SystemCallRule(229),  // clock_getres
      SystemCallRule(96),  // gettimeofday
      SystemCallRule(230),  // clock_nanosleep
      SystemCallRule(35),  // nanosleep
      SystemCallRule(98),  // getrusage
      SystemCallRule(318),  // getrandom
    ]
    // The command that carries a move.
    return children.isEmpty ? usual : usual + [SystemCallRule(61, .argument(0, isOneOf: children))]  // wait4
  }

  /// TCGETS, TCGETS2 and TIOCGWINSZ, which change nothing (asm-generic/ioctls.h).
  private static let terminalQuestions: [UInt32] = [0x5401, 0x802c_542a, 0x5413]

  /// TCSETS and TCSETS2.
  private static let terminalSettings: [UInt32] = [0x5402, 0x402c_542b]

  /// The requests to a VM and a vCPU once the guest runs.
  ///
  /// They run the guest, read its state, change what is intercepted, copy its memory and remove it; none sets a vCPU's
  /// state or makes anything.
  private static let requests: [UInt32] = [
    Request.run,
    .getRegisters, .getSpecialRegisters, .getMSRs, .setMSRs, .getXSAVE, .getXCRs, .getEvents, .getDebugRegisters,
    .getMPState, .translate, .getTSCFrequency, .getClock, .getMSRIndexList,
    .setMSRFilter, .setUserMemoryRegion, .getDirtyLog, .getStatisticsDescriptor,
    // A device of the VMM's interrupts its guest.
    .irqLine,
  ].map { UInt32($0.rawValue) }
}
