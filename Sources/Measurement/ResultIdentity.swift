// Which host a result is of, when it was measured, and which run made it. Results of many hosts are told apart by this
// and not by the names of their files.

import Registers

/// The host, the moment and the run of a result.
public struct ResultIdentity: Codable, Equatable, Sendable {
  /// The host's id: as the user gave it, its hostname, or `hidden(_:)` of that and its machine-id.
  public let host: String
  /// When the run began, in UTC: `2026-11-30T23:59:59Z`.
  public let began: String
  /// A random number of the run, in 16 hexadecimal digits.
  public let run: String

  /// The identity of a run that began at this moment.
  public init(host: String, began: String, run: UInt64) {
    self.host = host
    self.began = began
    self.run = run.hexDigits(16)
  }

  /// The longest id of a host, in bytes: that of a name in DNS (RFC 1035, 2.3.4).
  public static let longestHost = 253

  /// An id that does not show a machine's names at first sight: their FNV-1a hash, in 16 hexadecimal digits.
  ///
  /// Whoever guesses the names can check the guess.
  public static func hidden(_ names: String) -> String {
    FNV1a.hash(names.utf8).hexDigits(16)
  }
}
