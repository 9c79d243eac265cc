// What a guest was told, and MSRs with their values, as JSON.

extension GuestContract: Codable {
  private enum CodingKeys: String, CodingKey { case cpuid, archCapabilities }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      cpuid: CPUIDModel(try container.decode([CPUIDEntry].self, forKey: .cpuid)),
      archCapabilities: ArchCapabilities(rawValue: try container.decode(UInt64.self, forKey: .archCapabilities)))
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(cpuid.entries, forKey: .cpuid)
    try container.encode(archCapabilities.rawValue, forKey: .archCapabilities)
  }
}

extension MSREntry: Codable {
  private enum CodingKeys: String, CodingKey { case index, value }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      MSR(rawValue: try container.decode(UInt32.self, forKey: .index)),
      try container.decode(UInt64.self, forKey: .value))
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(msr.rawValue, forKey: .index)
    try container.encode(value, forKey: .value)
  }
}
