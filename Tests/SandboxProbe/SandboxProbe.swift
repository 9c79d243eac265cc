// Closes the layers of a sandbox and then tries what is named: SandboxProbe LAYERS ATTEMPT. Prints `closed`, then what
// came of the attempt: `done`, or the error. With LAYERS `none` it shows what the attempt does outside of a sandbox.
// Facts: arch/x86/entry/syscalls/syscall_64.tbl.

import CHost
import CKVM
import Glibc
import Sandbox
import SystemPackage

@main enum SandboxProbe {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 3, let layers = layers[arguments[1]], let attempt = attempts[arguments[2]] else {
      say("usage: SandboxProbe \(layers.keys.sorted()) \(attempts.keys.sorted())")
      exit(64)
    }
    _ = parent
    // A thread that was there before.
    thread { while true { sleep(1_000) } }
    for lack in try layers.enter() { say("lacks: \(lack)") }
    say("closed")
    do { try attempt() } catch {
      say("error: \(error)")
      exit(1)
    }
    say("done")
  }

  /// At once: what is refused ends the program.
  private static func say(_ line: String) { _ = try? FileDescriptor.standardOutput.writeAll((line + "\n").utf8) }

  /// Asked for before the sandbox is closed.
  private static let parent = Int(getppid())

  private static let layers: [String: Sandbox] = [
    "none": [], "landlock": [.noNewPrivileges, .landlock], "seccomp": [.noNewPrivileges, .seccomp], "all": .all,
  ]

  private static var attempts: [String: () throws -> Void] {
    [
      "open": { try FileDescriptor.open(FilePath("/etc/hostname"), .readOnly).close() },
      "create": {
        let path = FilePath("/tmp/spectrap-sandbox-probe.\(getpid())")
        let file = try FileDescriptor.open(path, .writeOnly, options: [.create], permissions: .ownerReadWrite)
        // Safe: the path is a string, which lives for the length of the call.
        unsafe _ = unlink(path.string)
        try file.close()
      },
      "remove": { try check(Int(unsafe rmdir("/nonexistent")), unlessIs: ENOENT) },
      "socket": { try check(Int(socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0))) },
      "execute": {
        // With arguments that are none it fails outside of a sandbox too, but with another error.
        try check(raw: chost_syscall3(59, 0, 0, 0), unlessIs: EFAULT)
      },
      "fork": {
        let child = chost_syscall3(57, 0, 0, 0)
        if child == 0 { _exit(0) }
        try check(raw: child)
      },
      "executable memory": {
        let memory = unsafe mmap(nil, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        if unsafe memory == MAP_FAILED { throw Errno(rawValue: errno) }
      },
      // TIOCSTI would type into the terminal that the program was started from.
      "terminal": { try check(raw: chost_syscall3(16, 0, 0x5412, 0), unlessIs: ENOTTY) },
      "new VM": { try check(raw: Int(ckvm_ioctl(0, .createVM, 0)), unlessIs: ENOTTY) },
      "signal": { try check(raw: chost_syscall3(62, parent, 0, 0)) },
      "signal to a thread": { try check(raw: chost_syscall3(234, parent, parent, 0)) },
      "limit": {
        var limit = rlimit(rlim_cur: 8, rlim_max: 8)
        // Safe: the structure is this call's own.
        try check(Int(unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)))
      },
      "handler": { _ = signal(SIGSYS, SIG_IGN) },
      "x32": { try check(raw: chost_syscall3(0x4000_0000 + 39, 0, 0, 0), unlessIs: ENOSYS) },
      "abort": { abort() },
      // What the filter adds to an exit: the system call of one, on a descriptor that there is not. The least of many
      // batches, which no other process and no interrupt was in.
      "cost": {
        var least = UInt64.max
        for _ in 0..<2_000 {
          let began = ckvm_ordered_rdtsc()
          for _ in 0..<100 { _ = ckvm_ioctl(-1, .run, 0) }
          least = min(least, ckvm_ordered_rdtsc() - began)
        }
        say("cycles: \(Double(least) / 100)")
      },
      "work": {
        // Memory, hash tables, time, threads: what any Swift code does.
        var numbers: [Int: String] = [:]
        for number in 0..<100_000 { numbers[number] = "\(number)" }
        let big = [UInt8](repeating: 1, count: 64 << 20)
        let began = ContinuousClock.now
        usleep(1_000)
        let join = thread { _ = [UInt8](repeating: 2, count: 1 << 20) }
        join()
        guard numbers.count == 100_000, big.last == 1, ContinuousClock.now > began else { throw Errno.ioError }
      },
    ]
  }

  /// Throws the C library's error of a call that failed.
  private static func check(_ result: Int, unlessIs expected: CInt = 0) throws {
    if result < 0, errno != expected { throw Errno(rawValue: errno) }
  }

  /// Throws the kernel's error of a call that failed.
  private static func check(raw result: Int, unlessIs expected: CInt = 0) throws {
    if result < 0, -result != Int(expected) { throw Errno(rawValue: CInt(-result)) }
  }

  private final class Body {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
  }

  /// Starts a thread; gives what waits for its end.
  @discardableResult private static func thread(_ body: @escaping () -> Void) -> () -> Void {
    var thread = pthread_t()
    // Safe: the thread takes over the one reference.
    let failure = unsafe pthread_create(
      &thread, nil,
      { argument in
        unsafe Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, Unmanaged.passRetained(Body(body)).toOpaque())
    precondition(failure == 0, "no thread")
    return { [thread] in pthread_join(thread, nil) }
  }
}
