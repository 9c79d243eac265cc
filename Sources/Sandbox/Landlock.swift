// A Landlock domain without a rule: what it handles is denied. Descriptors that are open already keep what they can do.
// Facts: landlock(7); Linux Documentation/userspace-api/landlock.rst (what each version of the interface knows).

import CHost
import Glibc
import SystemPackage

enum Landlock {
  /// What a version of the interface can deny.
  struct Version: Equatable {
    /// LANDLOCK_ACCESS_FS_*, LANDLOCK_ACCESS_NET_* and LANDLOCK_SCOPE_*, as many as its structure has.
    let attributes: [UInt64]
    /// LANDLOCK_RESTRICT_SELF_TSYNC: for every thread.
    let flags: UInt32

    init(_ number: Int) {
      // Files: 13 rights at first, then moving between folders (2), truncating (3), ioctl on a device opened later (5).
      let files = number >= 5 ? 16 : number >= 3 ? 15 : number >= 2 ? 14 : 13
      var attributes: [UInt64] = [1 << UInt64(files) - 1]
      // TCP: binding and connecting.
      if number >= 4 { attributes.append(0b11) }
      // Abstract sockets and signals, to processes outside of the domain.
      if number >= 6 { attributes.append(0b11) }
      self.attributes = attributes
      flags = number >= 8 ? 1 << 3 : 0
    }
  }

  /// LANDLOCK_CREATE_RULESET_VERSION.
  private static let askForVersion: UInt32 = 1

  /// Whether the answer to the question for the version says that there is none.
  ///
  /// It is not compiled in (ENOSYS), or turned off at boot (EOPNOTSUPP). Any other error is of somebody who forbids the
  /// question.
  static func isAbsence(_ answer: Int) -> Bool { answer == -Int(ENOSYS) || answer == -Int(EOPNOTSUPP) }

  /// Denies this thread, and those that it makes, all that this kernel's version can deny; gives what it lacks.
  ///
  /// - Throws: `SandboxError` when the kernel refuses.
  static func denyEverything() throws(SandboxError) -> [String] {
    // Without a structure only the version is asked for.
    let number = chost_landlock_create_ruleset(nil, 0, askForVersion)
    if isAbsence(number) {
      return ["this kernel has no Landlock: files are guarded by the filter of system calls alone"]
    }
    guard number >= 1 else { throw SandboxError("landlock_create_ruleset", number) }
    let version = Version(number)
    let ruleset = unsafe version.attributes.withUnsafeBytes {
      // Safe: as many bytes as are said, for the length of the call.
      unsafe chost_landlock_create_ruleset($0.baseAddress, UInt($0.count), 0)
    }
    guard ruleset >= 0 else { throw SandboxError("landlock_create_ruleset", ruleset) }
    defer { try? FileDescriptor(rawValue: CInt(ruleset)).close() }
    let result = chost_landlock_restrict_self(CInt(ruleset), version.flags)
    guard result == 0 else { throw SandboxError("landlock_restrict_self", result) }
    return number >= 6
      ? []
      : [
        "this kernel's Landlock (version \(number)) does not guard \(number >= 4 ? "" : "TCP, ")"
          + "signals and abstract sockets: the filter of system calls does alone"
      ]
  }
}
