// The sandbox of a process that runs a foreign guest: it keeps what it has open and gets nothing more. docs/security.md
// says what each layer does, and what is left to the operator.
// Facts: PR_SET_NO_NEW_PRIVS(2const), seccomp(2), landlock(7).

import CHost
public import SystemPackage

/// Layers of the kernel's protection against a process that its guest has taken over.
public struct Sandbox: OptionSet, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// A program that it starts gets no more rights than it has itself; the other two need this.
  public static let noNewPrivileges = Sandbox(rawValue: 1)
  /// It cannot open, make or remove files, use TCP ports, or signal other processes.
  public static let landlock = Sandbox(rawValue: 2)
  /// It can make only the system calls of `SystemCallRule.allowed`.
  public static let seccomp = Sandbox(rawValue: 4)
  public static let all: Sandbox = [.noNewPrivileges, .landlock, .seccomp]

  /// Applies these layers to this process irrevocably; returns what this kernel lacks of them, a sentence each.
  ///
  /// The filter of system calls applies to every thread, Landlock to the calling thread and its later children (to
  /// every thread since Linux 7.0). A call that the filter refuses ends the process with a message and status 70.
  ///
  /// - Parameter children: the processes whose end may still be waited for.
  /// - Throws: `SandboxError` when the kernel has a layer and refuses it.
  public func enter(awaiting children: [CInt] = []) throws(SandboxError) -> [String] {
    var lacks: [String] = []
    if contains(.noNewPrivileges) {
      let result = chost_prctl(Int(PR_SET_NO_NEW_PRIVS), 1)
      guard result == 0 else { throw SandboxError("PR_SET_NO_NEW_PRIVS", result) }
    }
    if contains(.landlock) { lacks += try Landlock.denyEverything() }
    if contains(.seccomp) { lacks += try Filter.install(awaiting: children) }
    return lacks
  }
}

/// A layer that the kernel has and could not apply.
public struct SandboxError: Error, Equatable, CustomStringConvertible {
  /// The call that failed.
  public let what: String
  public let code: Errno

  init(_ what: String, _ result: Int) {
    self.what = what
    // A positive result is a thread for which the filter could not be set.
    code = result < 0 ? Errno(rawValue: CInt(-result)) : .resourceBusy
  }

  public var description: String { "the sandbox cannot be set up (\(what): \(code)); --no-sandbox runs without it" }
}
