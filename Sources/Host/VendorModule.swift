// The vendor module of KVM on this CPU and its settings, which decide where a guest's write can end.
//
// Facts: Linux Documentation/ABI/stable/sysfs-module. A module that is built in has a folder as soon as it has
// parameters, used or not; only a loaded one has `initstate`. KVM takes one vendor module at a time
// (arch/x86/kvm/x86.c, kvm_x86_vendor_init).

public import Registers

/// KVM's vendor module on this host.
public struct VendorModule: Hashable, Sendable {
  /// Which module it is.
  public enum Kind: Hashable, Sendable {
    /// Intel's VMX.
    case kvmIntel
    /// AMD's SVM.
    case kvmAMD
    /// Software virtualisation without VMX or SVM.
    case kvmPVM
    /// Another module with this name.
    case other(String)
    /// No module, or none in /sys.
    case none
    /// The list of modules could not be read.
    case unknown
  }

  /// A setting of a module.
  public struct Parameter: Hashable, Sendable {
    public let name: String
    /// The value in /sys: `Y`, `N`, a number, a list.
    public let value: String
  }

  public let kind: Kind
  private let files: HostFiles

  /// Finds the module; its parameters are read on demand.
  public init(files: HostFiles = HostFiles()) {
    if let modules = files.listing(of: "sys/module") {
      kind = VendorModule.inUse(modules.filter { $0.hasPrefix("kvm_") }, files).map(Kind.init(module:)) ?? .none
    } else {
      kind = .unknown
    }
    self.files = files
  }

  /// The vendor module's parameters that can be read, by name.
  public var parameters: [Parameter] {
    [.none, .unknown].contains(kind) ? [] : VendorModule.parameters(of: "\(kind)", files)
  }

  /// The parameters of `kvm` itself that can be read, by name.
  public var coreParameters: [Parameter] { VendorModule.parameters(of: "kvm", files) }

  /// A parameter of the vendor module, or else of `kvm`; nil if neither has it.
  public subscript(parameter name: String) -> String? {
    // One file is read, not the folder: there can be a hundred.
    for module in [.none, .unknown].contains(kind) ? ["kvm"] : ["\(kind)", "kvm"] {
      if let value = VendorModule.value(of: name, of: module, files) { return value }
    }
    return nil
  }

  /// How kvm-intel switches IA32_SPEC_CTRL: what its parameter `spec_ctrl_mode` says, and by hand where it has none;
  /// nil for another module, and for a value that is not known here.
  public var specCtrlMode: SpecCtrlMode? {
    guard kind == .kvmIntel else { return nil }
    return self[parameter: "spec_ctrl_mode"].map(SpecCtrlMode.init(parameter:)) ?? .byHand
  }

  /// The bits of IA32_SPEC_CTRL that VMX's mask keeps set in every guest's register; nil where KVM uses no mask.
  public var specCtrlMask: SpecCtrl? {
    guard specCtrlMode == .maskAndShadow else { return nil }
    return self[parameter: "spec_ctrl_mask"].flatMap(SpecCtrl.init(parsing:))
  }

  /// The candidate in use: a loaded module, else the built-in one for this CPU.
  private static func inUse(_ candidates: [String], _ files: HostFiles) -> String? {
    if candidates.count < 2 { return candidates.first }
    if let loaded = candidates.first(where: { files.value("sys/module/\($0)/initstate") == "live" }) { return loaded }
    let flags = ProcessorBlock(files: files).flags
    if flags.contains("vmx"), candidates.contains("kvm_intel") { return "kvm_intel" }
    if flags.contains("svm"), candidates.contains("kvm_amd") { return "kvm_amd" }
    return candidates.first { $0 != "kvm_intel" && $0 != "kvm_amd" } ?? candidates.first
  }

  private static func parameters(of module: String, _ files: HostFiles) -> [Parameter] {
    files.names(in: "sys/module/\(module)/parameters").compactMap { name in
      value(of: name, of: module, files).map { Parameter(name: name, value: $0) }
    }
  }

  private static func value(of name: String, of module: String, _ files: HostFiles) -> String? {
    files.text("sys/module/\(module)/parameters/\(name)").map { String($0.trimmed) }
  }
}

extension VendorModule.Kind: CustomStringConvertible {
  init(module: String) {
    self =
      switch module {
      case "kvm_intel": .kvmIntel
      case "kvm_amd": .kvmAMD
      case "kvm_pvm": .kvmPVM
      default: .other(module)
      }
  }

  /// The module's name, `none` or `unknown`.
  public var description: String {
    switch self {
    case .kvmIntel: "kvm_intel"
    case .kvmAMD: "kvm_amd"
    case .kvmPVM: "kvm_pvm"
    case .other(let name): name
    case .none: "none"
    case .unknown: "unknown"
    }
  }
}
