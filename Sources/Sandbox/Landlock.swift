// A Landlock domain without rules: everything that it handles is denied. Open descriptors keep their rights.
// Facts: landlock(7); Linux Documentation/userspace-api/landlock.rst (what each version of the interface knows).

import CHost
import Glibc
import SystemPackage

enum Landlock {
  /// What a version of the interface can deny.
  struct Version: Equatable {
    /// LANDLOCK_ACCESS_FS_*, LANDLOCK_ACCESS_NET_* and LANDLOCK_SCOPE_*, as far as the version's structure has them.
    let attributes: [UInt64]
    /// LANDLOCK_RESTRICT_SELF_TSYNC: for every thread.
    let flags: UInt32

    init(_ number: Int) {
      // Files: 13 rights at first, then moving between folders (2), truncating (3), ioctl on a device opened later (5).
      let files = number >= 5 ? 16 : number >= 3 ? 15 : number >= 2 ? 14 : 13
      var attributes: [UInt64] = [1 << UInt64(files) - 1]
      // TCP: binding and connecting.
      if number >= 4 { attributes.append(0b11) }
      // Abstract sockets and signals to processes outside the domain.
      if number >= 6 { attributes.append(0b11) }
      self.attributes = attributes
      flags = number >= 8 ? 1 << 3 : 0
    }
  }

  /// LANDLOCK_CREATE_RULESET_VERSION.
  private static let askForVersion: UInt32 = 1

  /// Whether the answer means that the kernel has no Landlock: not compiled in (ENOSYS) or off at boot (EOPNOTSUPP).
  ///
  /// Any other error means that the system call itself is forbidden.
  static func isAbsence(_ answer: Int) -> Bool { answer == -Int(ENOSYS) || answer == -Int(EOPNOTSUPP) }

  /// Denies this thread and its later children everything that this kernel's version can deny; returns what it lacks.
  ///
  /// - Throws: `SandboxError` when the kernel refuses.
  static func denyEverything() throws(SandboxError) -> [String] {
    // Without a structure the call returns the version.
    let number = chost_landlock_create_ruleset(nil, 0, askForVersion)
    if isAbsence(number) {
      return ["this kernel has no Landlock: only the filter of system calls protects files"]
    }
    guard number >= 1 else { throw SandboxError("landlock_create_ruleset", number) }
    let version = Version(number)
    let ruleset = unsafe version.attributes.withUnsafeBytes {
      // Safe: the bytes are valid during the call, with their own length.
      unsafe chost_landlock_create_ruleset($0.baseAddress, UInt($0.count), 0)
    }
    guard ruleset >= 0 else { throw SandboxError("landlock_create_ruleset", ruleset) }
    defer { try? FileDescriptor(rawValue: CInt(ruleset)).close() }
    let result = chost_landlock_restrict_self(CInt(ruleset), version.flags)
    guard result == 0 else { throw SandboxError("landlock_restrict_self", result) }
    return number >= 6
      ? []
      : [
        "this kernel's Landlock (version \(number)) does not restrict \(number >= 4 ? "" : "TCP, ")"
          + "signals and abstract sockets: only the filter of system calls does"
      ]
  }
}
