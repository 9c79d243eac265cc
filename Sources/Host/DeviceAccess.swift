// Why a device cannot be opened, and what to do about it.
// Facts: open(2), stat(2), group(5), credentials(7).

import Glibc
package import SystemPackage

/// A device's owner and mode, and this process's user and groups.
package struct DeviceAccess {
  /// The permission bits.
  let mode: mode_t
  /// The device's group.
  let group: gid_t
  /// The name and the members of that group in /etc/group; nil if it has no name.
  let groupName: String?
  let members: Set<String>
  /// Whether this process is root's, and its groups.
  let isRoot: Bool
  let groups: Set<gid_t>
  /// The user's name in the environment, if any.
  let user: String?

  /// What to do about a device that this process may not open: the end of a sentence.
  package var advice: String {
    if isRoot { return "root may open it, so a container, a sandbox or a missing capability forbids it here" }
    guard mode & 0o060 == 0o060 else { return "its group may not open it either; run as root" }
    guard group != 0 else { return "only root and the group root may open it; run as root" }
    let name = groupName.map { "\"\($0)\"" } ?? "number \(group)"
    if groups.contains(group) {
      return "its group \(name) may open it, and this process is in it: a sandbox or an access list forbids it"
    }
    if let user, members.contains(user) {
      return "its group \(name) may open it, and you joined it after you logged in: log in again"
    }
    return "add yourself to the group \(name) and log in again, or run as root"
  }
}

extension DeviceAccess {
  /// The access of this process to a device; nil if the device's owner cannot be read.
  package init?(to device: FilePath, files: HostFiles = HostFiles()) {
    var status = stat()
    // Safe: the path and the structure are valid during the call.
    guard unsafe device.withPlatformString({ unsafe stat($0, &status) }) == 0 else { return nil }
    mode = status.st_mode
    group = status.st_gid
    let line = Self.line(of: status.st_gid, inGroupFile: files.text("etc/group") ?? "")
    groupName = line.map { String($0[0]) }
    members = Set((line?[3] ?? "").split(separator: ",").map(String.init))
    isRoot = geteuid() == 0
    var own = [gid_t](repeating: 0, count: Int(NGROUPS_MAX))
    // Safe: the array is valid during the call, with its own length.
    let count = unsafe own.withUnsafeMutableBufferPointer { unsafe getgroups(CInt($0.count), $0.baseAddress) }
    groups = Set(own.prefix(Int(max(0, count)))).union([getegid()])
    // Safe: the string is copied before anything could change the environment.
    user = unsafe getenv("USER").map { unsafe String(cString: $0) }
  }

  /// The four fields of a group's line in /etc/group: name, password, number, members.
  private static func line(of group: gid_t, inGroupFile text: String) -> [Substring]? {
    for line in text.split(separator: "\n") {
      let fields: [Substring] = line.split(separator: ":", omittingEmptySubsequences: false)
      if fields.count == 4, gid_t(fields[2]) == group { return fields }
    }
    return nil
  }
}
