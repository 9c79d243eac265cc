// Which processes may be at the other end of a socket: a guest's memory is exchanged only with processes that could
// read it anyway.
// Facts: unix(7) (SO_PEERCRED: the credentials of the process that called connect or listen, at that moment);
// socket(7).

import Glibc
import SystemPackage

/// Which users' processes may be the other side of a move: this process's user, root, and optionally one more.
public struct PeerRule: Codable, Equatable, Sendable {
  /// The number of another accepted user; nil for none.
  public let other: UInt32?

  /// The rule, with one more user if given.
  public init(other: UInt32? = nil) { self.other = other }

  /// Whether processes of this user are accepted.
  public func accepts(_ user: UInt32) -> Bool { user == geteuid() || user == 0 || user == other }
}

extension Connection {
  /// The user at the other end if the rule does not accept it; nil if it does.
  ///
  /// - Throws: `SocketError` when the user is not known.
  func stranger(among peers: PeerRule) throws(SocketError) -> UInt32? {
    // struct ucred, which C libraries hide without _GNU_SOURCE: process, user, group.
    var credentials: (process: Int32, user: UInt32, group: UInt32) = (0, .max, .max)
    var length = socklen_t(MemoryLayout.size(ofValue: credentials))
    // Safe: three numbers of 32 bits, used only during the call.
    guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0, length == 12 else {
      throw SocketError("reading the peer's credentials", Errno(rawValue: errno))
    }
    return peers.accepts(credentials.user) ? nil : credentials.user
  }
}
