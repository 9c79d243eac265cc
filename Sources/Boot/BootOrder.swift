// What is to be booted, and how.

public import Hypervisor
public import Images

/// A guest to boot.
public struct BootOrder: Sendable {
  /// The image's name, for messages and results.
  public var name: String
  public var policy: PolicyName
  /// The guest's memory in bytes: whole pages, within `BootPlan.memorySizes`.
  public var memory: UInt64
  /// What is appended to the command line.
  public var commandLine: String
  /// By which protocol a 64-bit ELF file is entered.
  public var entry = EntryProtocol.long
  /// Whether KVM's timer, the PIT, is there.
  public var hasTimer = true
  /// Where an image without a header goes; nil for one whose form is told from its bytes.
  public var flatAddress: UInt64?
  /// Whether writes of IA32_PRED_CMD are dropped on a host without IBPB.
  public var dropsBarriers = false
  /// What the guest is told; nil for what the policy makes of KVM's offer.
  public var contract: GuestContract?
  /// Features that are not told, by their names.
  public var hidden: [HiddenBit] = []

  /// An order with the image's name, under this policy.
  public init(name: String, policy: PolicyName, memory: UInt64, commandLine: String = "") {
    self.name = name
    self.policy = policy
    self.memory = memory
    self.commandLine = commandLine
  }
}

/// A bit of CPUID or of IA32_ARCH_CAPABILITIES that a guest is not told.
public enum HiddenBit: Equatable, Sendable {
  case feature(CPUFeature)
  case capability(ArchCapabilities)

  /// The bit of this name, in any case; nil where there is none.
  public init?(_ name: String) {
    let name = name.uppercased()
    if let feature = CPUFeature.all.first(where: { $0.name == name }) {
      self = .feature(feature)
    } else if let bit = ArchCapabilities.bitNames.first(where: { $0.name == name }) {
      self = .capability(ArchCapabilities(rawValue: 1 << UInt64(bit.bit)))
    } else {
      return nil
    }
  }

  /// Every name.
  public static var names: [String] { CPUFeature.all.map(\.name) + ArchCapabilities.bitNames.map(\.name) }

  public var name: String {
    switch self {
    case .feature(let feature): feature.name
    case .capability(let bit): bit.names.joined()
    }
  }

  /// Takes the bit from what a guest is told.
  func hide(in contract: inout GuestContract) {
    switch self {
    case .feature(let feature): contract.cpuid.set(feature, to: false)
    case .capability(let bit): contract.archCapabilities.subtract(bit)
    }
  }
}

/// Why a guest is not booted.
public enum BootError: Error, CustomStringConvertible {
  /// The image's file, or the initrd with it, cannot be booted.
  case image(name: String, ImageError)
  /// This host cannot run it.
  case refused(name: String, String)

  public var description: String {
    switch self {
    case .image(let name, let error): "\(name): \(error)"
    case .refused(let name, let reason): "\(name) cannot run on this host: \(reason)"
    }
  }
}
