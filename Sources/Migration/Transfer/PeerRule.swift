// Who may be at the other end of a socket: a guest's memory goes only to, and comes only from, processes that could
// read it anyway.
// Facts: unix(7) (SO_PEERCRED: the credentials of the process that called connect or listen, at that moment);
// socket(7).

import Glibc
import SystemPackage

/// Which users' processes this one takes for the other side of a move: its own user's and root's, and one more where
/// named.
public struct PeerRule: Codable, Equatable, Sendable {
  /// The number of another user whose processes are taken, nil for none.
  public var other: UInt32?

  /// The rule, with one more user where one is named.
  public init(other: UInt32? = nil) { self.other = other }

  /// Whether processes of this user are taken.
  public func takes(_ user: UInt32) -> Bool { user == geteuid() || user == 0 || user == other }
}

extension Connection {
  /// The user at the other end, where the rule does not take him.
  ///
  /// - Throws: `SocketError` when the system does not tell: whoever is not known is not taken.
  func stranger(among peers: PeerRule) throws(SocketError) -> UInt32? {
    // struct ucred, which C libraries hide without _GNU_SOURCE: process, user, group.
    var credentials: (process: Int32, user: UInt32, group: UInt32) = (0, .max, .max)
    var length = socklen_t(MemoryLayout.size(ofValue: credentials))
    // Safe: three numbers of 32 bits, this call's own, for their own length.
    guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0, length == 12 else {
      throw SocketError("asking who is at the other end", Errno(rawValue: errno))
    }
    return peers.takes(credentials.user) ? nil : credentials.user
  }
}
