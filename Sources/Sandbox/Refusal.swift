// The message when the filter has refused a system call: the number, and that the program ends. Either the program has
// been taken over, or a call is missing in SystemCallRule; it must end in both cases.
// Facts: seccomp(2) (SECCOMP_RET_TRAP), sigaction(2) (SIGSYS), signal-safety(7).

import Glibc

enum Refusal {
  /// The exit status: an internal failure (sysexits.h).
  private static let status: CInt = 70

  /// Makes a refused call print its number on standard error and end the process.
  static func installHandler() {
    var action = sigaction()
    action.sa_flags = SA_SIGINFO
    // Safe: the kernel passes the structure of a SIGSYS. The handler allocates nothing and takes no lock.
    unsafe action.__sigaction_handler.sa_sigaction = { _, info, _ in
      let number = unsafe info?.pointee._sifields._sigsys._syscall ?? -1
      Refusal.write("spectrap: the sandbox refused system call ")
      Refusal.write(decimal: number)
      Refusal.write(" and ends the program (docs/security.md; --no-sandbox goes without)\n")
      _exit(Refusal.status)
    }
    unsafe _ = sigaction(SIGSYS, &action, nil)
  }

  private static func write(_ text: StaticString) {
    // Safe: a constant.
    unsafe _ = Glibc.write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
  }

  private static func write(decimal number: CInt) {
    var divisor: CInt = 1000
    while divisor > 0 {
      if divisor == 1 || number >= divisor {
        var digit = UInt8(truncatingIfNeeded: 48 + number / divisor % 10)
        // Safe: one local byte.
        unsafe _ = Glibc.write(STDERR_FILENO, &digit, 1)
      }
      divisor /= 10
    }
  }
}
