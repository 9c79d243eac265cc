// Why a device may not be opened, and who may.
// Facts: open(2), stat(2), group(5), credentials(7).

import Glibc
package import SystemPackage

/// A device's owner and mode, beside what this process is.
package struct DeviceAccess {
  /// The permission bits.
  let mode: mode_t
  /// The group that the device belongs to.
  let group: gid_t
  /// The name of that group, and who is in it by the file /etc/group; nil where it has no name.
  let groupName: String?
  let members: Set<String>
  /// Whether this process is root's, and the groups that it is in.
  let isRoot: Bool
  let groups: Set<gid_t>
  /// The name that this process's user has, where the environment tells.
  let user: String?

  /// What to do about a device that this process may not open: the end of a sentence.
  package var advice: String {
    if isRoot { return "root may, so a container, a sandbox or a missing capability forbids it here" }
    guard mode & 0o060 == 0o060 else { return "its group may not open it either; run as root" }
    guard group != 0 else { return "it belongs to root and the group root alone; run as root" }
    let name = groupName.map { "\"\($0)\"" } ?? "number \(group)"
    if groups.contains(group) {
      return "its group \(name) may, and this process is in it: a sandbox or an access list forbids it"
    }
    if let user, members.contains(user) {
      return "its group \(name) may, and you are in it since you logged in: log in again"
    }
    return "add yourself to the group \(name) and log in again, or run as root"
  }
}

extension DeviceAccess {
  /// The access of this process to a device; nil where nobody tells who owns it.
  package init?(to device: FilePath, files: HostFiles = HostFiles()) {
    var status = stat()
    // Safe: the path is valid for the length of the call, and the structure this call's own.
    guard unsafe device.withPlatformString({ unsafe stat($0, &status) }) == 0 else { return nil }
    mode = status.st_mode
    group = status.st_gid
    let line = (files.text("etc/group") ?? "").split(separator: "\n").lazy
      .map { $0.split(separator: ":", omittingEmptySubsequences: false) }
      .first { $0.count == 4 && gid_t($0[2]) == status.st_gid }
    groupName = line.map { String($0[0]) }
    members = Set((line?[3] ?? "").split(separator: ",").map(String.init))
    isRoot = geteuid() == 0
    var own = [gid_t](repeating: 0, count: Int(NGROUPS_MAX))
    // Safe: the array is as long as is said, and there for the length of the call.
    let count = unsafe own.withUnsafeMutableBufferPointer { unsafe getgroups(CInt($0.count), $0.baseAddress) }
    groups = Set(own.prefix(Int(max(0, count)))).union([getegid()])
    // Safe: the string is copied before anything could change the environment.
    user = unsafe getenv("USER").map { unsafe String(cString: $0) }
  }
}
