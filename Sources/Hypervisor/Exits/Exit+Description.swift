// An exit as text: what the guest did.

extension Exit: CustomStringConvertible {
  /// The guest's access with its size, place and value: `OUT of 1 byte to port 0xf4`.
  public var description: String {
    switch self {
    case .halt: "HLT"
    case .portOut(let access): "OUT of \(access.extent) to port \(access.port.hex)"
    case .portIn(let access): "IN of \(access.extent) from port \(access.port.hex)"
    case .mmioWrite(let access):
      "a store of \(access.value.hex), \(bytes(access.length)), "
        + "to guest-physical address \(access.address), which has no memory"
    case .mmioRead(let access):
      "a load of \(bytes(access.length)) from guest-physical address \(access.address), which has no memory"
    case .readMSR(let access): "RDMSR of \(access.msr) (\(access.msr.hex)), \(access.reason)"
    case .writeMSR(let access):
      "WRMSR of \(access.value.hex) to \(access.msr) (\(access.msr.hex)), \(access.reason)"
    case .interrupted: "a signal"
    case .other(let reason): "\(reason)"
    }
  }
}

extension PortAccess {
  fileprivate var extent: String {
    count == 1 ? bytes(Int(size)) : "\(count) times \(bytes(Int(size)))"
  }
}

extension MSRExitReasons: CustomStringConvertible {
  /// KVM's names of the reasons, without KVM_MSR_EXIT_REASON_.
  public var description: String {
    let names: [(Self, String)] = [(.invalid, "INVAL"), (.unknown, "UNKNOWN"), (.filter, "FILTER")]
    let known = names.filter { contains($0.0) }.map(\.1)
    let rest = names.reduce(self) { $0.subtracting($1.0) }
    let all = known + (rest.isEmpty ? [] : [rest.rawValue.hex])
    return all.isEmpty ? "no reason given" : all.joined(separator: "|")
  }
}

private func bytes(_ count: Int) -> String { count == 1 ? "1 byte" : "\(count) bytes" }
