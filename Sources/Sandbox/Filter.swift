// The rules as a program for the kernel's packet filter, which checks each system call before it is executed.
// Facts: seccomp(2); Linux Documentation/userspace-api/seccomp_filter.rst; include/uapi/linux/seccomp.h, filter.h,
// bpf_common.h.

import CHost
import Glibc

enum Filter {
  /// What the kernel does with a call.
  enum Verdict: Equatable {
    case allow
    /// The thread gets SIGSYS instead; if that is blocked or not handled, the process ends.
    case trap
    /// The process ends at once.
    case kill
    case fail(UInt16)

    var code: UInt32 {
      switch self {
      case .allow: 0x7fff_0000  // SECCOMP_RET_ALLOW
      case .trap: 0x0003_0000  // SECCOMP_RET_TRAP
      case .kill: 0x8000_0000  // SECCOMP_RET_KILL_PROCESS
      case .fail(let error): 0x0005_0000 | UInt32(error)  // SECCOMP_RET_ERRNO
      }
    }
  }

  /// AUDIT_ARCH_X86_64.
  private static let architecture: UInt32 = 0xc000_003e
  /// __X32_SYSCALL_BIT: calls of the x32 ABI have the same architecture and numbers from here on.
  private static let firstX32Number: UInt32 = 0x4000_0000

  /// The program: a call that no rule allows is trapped, one of another architecture kills.
  static func program(_ rules: [SystemCallRule]) -> [sock_filter] {
    var program = [
      load(at: 4), jump(.equal, architecture, yes: 1), give(.kill),
      // -1 is a call that a tracer (strace --inject) has skipped; it does nothing.
      load(at: 0), jump(.atLeast, firstX32Number, no: 3), jump(.equal, ~0, no: 1), give(.allow), give(.kill),
    ]
    for rule in rules {
      let body = body(rule.condition)
      program.append(jump(.equal, rule.number, no: UInt8(body.count)))
      program += body
    }
    return program + [give(.trap)]
  }

  /// Decides a call whose number fits, by its arguments.
  private static func body(_ condition: SystemCallRule.Condition) -> [sock_filter] {
    switch condition {
    case .always: [give(.allow)]
    case .fails(let error): [give(.fail(error))]
    case .argument(let index, isOneOf: let values):
      [load(argument: index)] + values.flatMap { [jump(.equal, $0, no: 1), give(.allow)] } + [give(.trap)]
    case .forbidden(let value, inArgument: let index):
      [load(argument: index), jump(.equal, value, no: 1), give(.trap), give(.allow)]
    case .bits(let index, let set, let clear):
      [
        load(argument: index),
        // A = A & (set | clear)
        sock_filter(code: 0x54, jt: 0, jf: 0, k: set | clear),
        jump(.equal, set, no: 1), give(.allow), give(.trap),
      ]
    }
  }

  private enum Comparison: UInt16 {
    case equal = 0x15  // BPF_JMP | BPF_JEQ | BPF_K
    case atLeast = 0x35  // BPF_JMP | BPF_JGE | BPF_K
  }

  /// A = the 32 bits at this place of `struct seccomp_data`: the number at 0, the architecture at 4, the arguments from
  /// 16 on.
  private static func load(at offset: UInt32) -> sock_filter {
    sock_filter(code: 0x20, jt: 0, jf: 0, k: offset)  // BPF_LD | BPF_W | BPF_ABS
  }

  /// The lower half of an argument.
  private static func load(argument index: Int) -> sock_filter { load(at: 16 + 8 * UInt32(index)) }

  /// Skips `yes` or `no` instructions.
  private static func jump(_ comparison: Comparison, _ value: UInt32, yes: UInt8 = 0, no: UInt8 = 0) -> sock_filter {
    sock_filter(code: comparison.rawValue, jt: yes, jf: no, k: value)
  }

  private static func give(_ verdict: Verdict) -> sock_filter {
    sock_filter(code: 0x06, jt: 0, jf: 0, k: verdict.code)  // BPF_RET | BPF_K
  }

  // MARK: Installing

  /// Sets the filter for every thread of this process, and returns what this kernel lacks.
  ///
  /// - Throws: `SandboxError` when the kernel refuses.
  static func install(awaiting children: [CInt]) throws(SandboxError) -> [String] {
    Refusal.installHandler()
    let program = program(
      SystemCallRule.allowed(
        in: UInt32(getpid()), awaiting: children.map { UInt32(bitPattern: $0) }))
    // Safe: the program is valid during the call, with its own length.
    let result = unsafe program.withUnsafeBufferPointer {
      unsafe chost_set_filter(UInt(SECCOMP_FILTER_FLAG_TSYNC), $0.baseAddress, UInt16($0.count))
    }
    switch result {
    case 0: return []
    case _ where isAbsence(result, of: chost_prctl(Int(PR_GET_SECCOMP), 0)):
      return ["this kernel has no filter of system calls (seccomp)"]
    default: throw SandboxError("seccomp", result)
    }
  }

  /// Whether a result of installing means that the kernel has no filter; `mode` is the result of PR_GET_SECCOMP.
  ///
  /// EINVAL alone may also mean an invalid program: it means absence only if PR_GET_SECCOMP is unknown, too.
  static func isAbsence(_ result: Int, of mode: Int) -> Bool {
    result == -Int(ENOSYS) || result == -Int(EINVAL) && mode == -Int(EINVAL)
  }
}
