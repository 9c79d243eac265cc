// Random numbers that a seed repeats: for the order of cells and for the bootstrap. Method: SplitMix64 (Steele, Lea and
// Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014). The name of a stream is hashed by FNV-1a into
// its seed, so that the draws of one comparison do not depend on the others.

/// A random number generator that gives the same numbers for the same seed.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// The generator of this seed.
  public init(seed: UInt64) { state = seed }

  /// The generator of this seed for one named purpose, independent of those for other names.
  public init(seed: UInt64, stream: String) {
    var mixer = SeededGenerator(seed: seed ^ FNV1a.hash(stream.utf8))
    state = mixer.next()
  }

  /// The next 64 random bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var bits = state
    bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
    return bits ^ (bits >> 31)
  }

  /// A number from 0 to `bound` - 1.
  ///
  /// The high half of a product (Lemire 2019) without its rejection step: the bias is below bound / 2^64.
  mutating func index(below bound: Int) -> Int {
    Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high)
  }
}
