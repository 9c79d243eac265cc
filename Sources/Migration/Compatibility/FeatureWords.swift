// The feature words of a CPUID, without everything that only describes; small enough to be sent.

public import Hypervisor

/// The values of CPUID's feature words; a missing word is 0.
public struct FeatureWords: Equatable, Sendable {
  private var values: [CPUIDWord: UInt32]

  /// These values.
  public init(_ values: [CPUIDWord: UInt32] = [:]) { self.values = values.filter { $0.value != 0 } }

  /// The feature words of a CPUID.
  public init(_ model: CPUIDModel) {
    self.init(
      Dictionary(
        CPUIDWord.all.map { ($0, model[$0.leaf, $0.subleaf]?[$0.register] ?? 0) }, uniquingKeysWith: { $1 }))
  }

  /// A word's value.
  public subscript(word: CPUIDWord) -> UInt32 {
    get { values[word] ?? 0 }
    set { values[word] = newValue == 0 ? nil : newValue }
  }

  /// The words that are not 0.
  public var words: Set<CPUIDWord> { Set(values.keys) }

  /// A CPUID that has these words and nothing else.
  public var model: CPUIDModel {
    var model = CPUIDModel()
    for (word, value) in values {
      var entry = model[word.leaf, word.subleaf] ?? CPUIDEntry(function: word.leaf, index: word.subleaf)
      entry[word.register] = value
      model[word.leaf, word.subleaf] = entry
    }
    return model
  }

  /// The bits that are promises.
  public var promises: FeatureWords {
    FeatureWords(Dictionary(words.map { ($0, self[$0] & $0.promiseBits) }, uniquingKeysWith: { $1 }))
  }

  /// Whether the words have a feature.
  public func has(_ feature: CPUFeature) -> Bool {
    self[CPUIDWord(feature.leaf, feature.subleaf, feature.register)] & feature.mask != 0
  }

  /// The bits that both have.
  public func intersection(_ other: FeatureWords) -> FeatureWords { combined(other, &) }

  /// The bits that either has.
  public func union(_ other: FeatureWords) -> FeatureWords { combined(other, |) }

  /// The bits that the other does not have.
  public func subtracting(_ other: FeatureWords) -> FeatureWords { combined(other) { $0 & ~$1 } }

  /// The features that either has, without numbers.
  func featuresUnion(_ other: FeatureWords) -> FeatureWords {
    var union = union(other)
    for word in CPUIDWord.all where word.kind == .quantity { union[word] = 0 }
    return union
  }

  private func combined(_ other: FeatureWords, _ combine: (UInt32, UInt32) -> UInt32) -> FeatureWords {
    FeatureWords(
      Dictionary(words.union(other.words).map { ($0, combine(self[$0], other[$0])) }, uniquingKeysWith: { $1 }))
  }

  /// Every feature by name, and the numbers that are not 0.
  public var names: [String] { missing(from: FeatureWords()) }

  /// What these words tell a guest and a host with the others does not offer, by name.
  public func missing(from offer: FeatureWords) -> [String] {
    CPUIDWord.all.flatMap { word -> [String] in
      let (told, offered) = (self[word], offer[word])
      switch word.kind {
      case .quantity: return told == 0 || told == offered ? [] : ["\(word) = \(told.hex)"]
      case .features:
        let bits = told & ~offered & ~word.ignoredBits
        return (0..<32).filter { bits >> UInt32($0) & 1 == 1 }.map { word.name(ofBit: $0) }
      }
    }
  }
}

extension FeatureWords: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: TextKey.self)
    var values: [CPUIDWord: UInt32] = [:]
    for key in container.allKeys {
      guard let word = CPUIDWord(key: key.stringValue) else {
        throw DecodingError.dataCorruptedError(
          forKey: key, in: container, debugDescription: "\"\(key.stringValue)\" is not a register of CPUID")
      }
      values[word] = try container.decode(UInt32.self, forKey: key)
    }
    self.init(values)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: TextKey.self)
    for (word, value) in values { try container.encode(value, forKey: TextKey(stringValue: word.key)) }
  }
}
