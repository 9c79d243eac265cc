// Which guest to boot, and how.

public import Hypervisor
public import Images

/// A guest to boot.
public struct BootOrder: Sendable {
  /// The image's name, for messages and results.
  public var name: String
  public var policy: PolicyName
  /// The guest's memory in bytes: whole pages, within `BootPlan.memorySizes`.
  public var memory: UInt64
  /// Text that is appended to the command line.
  public var commandLine: String
  /// How a 64-bit ELF file is entered.
  public var entry = EntryProtocol.long
  /// Whether the machine has KVM's timer, the PIT.
  public var hasTimer = true
  /// The load address of an image without a header; nil to detect the format from the file.
  public var flatAddress: UInt64?
  /// Whether writes of IA32_PRED_CMD are dropped on a host without IBPB.
  public var dropsBarriers = false
  /// The CPUID and MSRs that the guest sees; nil for the policy's own choice from what KVM supports.
  public var contract: GuestContract?
  /// The bits to hide from the guest.
  public var hidden: [HiddenBit] = []
  /// Counts the guest's exits by KVM's reasons for them; nil if that was not requested.
  ///
  /// The trace must have been started on the thread that runs the guest.
  public var exitReasonTrace: ExitReasonTrace?

  /// An order for the image of this name under this policy.
  public init(name: String, policy: PolicyName, memory: UInt64, commandLine: String = "") {
    self.name = name
    self.policy = policy
    self.memory = memory
    self.commandLine = commandLine
  }
}

/// A bit of CPUID or of IA32_ARCH_CAPABILITIES that is hidden from a guest.
public enum HiddenBit: Equatable, Sendable {
  case feature(CPUFeature)
  case capability(ArchCapabilities)

  /// The bit with this name in upper or lower case; nil if there is none.
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

  /// Clears the bit in a contract.
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
