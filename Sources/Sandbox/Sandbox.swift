// A cage around a process that runs a guest which somebody else made: what it has open it keeps, and nothing more comes
// to it. What each layer does, and what is left to the operator: docs/security.md.
// Facts: PR_SET_NO_NEW_PRIVS(2const), seccomp(2), landlock(7).

import CHost
public import SystemPackage

/// The kernel's means against a process that has been taken over by its guest.
public struct Sandbox: OptionSet, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// No program that it starts gets more rights than it has itself; the condition of the other two.
  public static let noNewPrivileges = Sandbox(rawValue: 1)
  /// No file is opened, made or removed, no TCP port bound or connected to, no other process signalled.
  public static let landlock = Sandbox(rawValue: 2)
  /// No system call but those of `SystemCallRule.allowed`.
  public static let seccomp = Sandbox(rawValue: 4)
  public static let all: Sandbox = [.noNewPrivileges, .landlock, .seccomp]

  /// Closes these layers around this process, for good; gives what this kernel lacks of them, a sentence each.
  ///
  /// The filter of system calls holds for every thread, Landlock for the calling thread and those that it makes later
  /// (for every thread since Linux 7.0). A call that the filter does not allow ends the process with a sentence on
  /// standard error and status 70.
  ///
  /// - Throws: `SandboxError` when the kernel has a layer and refuses it.
  public func close() throws(SandboxError) -> [String] {
    var lacks: [String] = []
    if contains(.noNewPrivileges) {
      let result = chost_prctl(Int(PR_SET_NO_NEW_PRIVS), 1)
      guard result == 0 else { throw SandboxError("PR_SET_NO_NEW_PRIVS", result) }
    }
    if contains(.landlock) { lacks += try Landlock.denyEverything() }
    if contains(.seccomp) { lacks += try Filter.install() }
    return lacks
  }
}

/// A layer that the kernel has and did not close.
public struct SandboxError: Error, Equatable, CustomStringConvertible {
  /// The call.
  public let what: String
  public let code: Errno

  init(_ what: String, _ result: Int) {
    self.what = what
    // A positive result is the thread that the filter could not be set for.
    code = result < 0 ? Errno(rawValue: CInt(-result)) : .resourceBusy
  }

  public var description: String { "the sandbox cannot be closed (\(what): \(code)); --no-sandbox goes without" }
}
