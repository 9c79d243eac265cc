// FNV-1a, 64 bits: the same for the same bytes in every run and on every host. Source: Fowler, Noll and Vo, "The FNV
// Non-Cryptographic Hash Algorithm" (IETF draft-eastlake-fnv).

/// The hash function FNV-1a.
enum FNV1a {
  /// The hash of these bytes.
  static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}
