// How names on the command line become values; an unknown one is answered with those that are valid.

public import ArgumentParser
public import GuestImages
public import Hypervisor
import SystemPackage

extension Workload.Name: ExpressibleByArgument {}
extension Entry: ExpressibleByArgument {}
extension PolicyName: ExpressibleByArgument {}

/// The options of every command that talks to KVM.
struct KVMOptions: ParsableArguments {
  @Option(
    name: .customLong("kvm"), help: ArgumentHelp("The KVM device.", valueName: "path"), transform: FilePath.argument)
  var path: FilePath = KVM.defaultPath

  /// Opens the device.
  ///
  /// Throws `KVMError`.
  func open() throws(KVMError) -> KVM { try KVM(path: path) }
}

extension MSR {
  /// The MSR of this name or number.
  ///
  /// Throws `ValidationError`, which lists the names.
  static func argument(_ text: String) throws -> MSR {
    if let msr = MSR(parsing: text) { return msr }
    let names = MSR.names.filter { !MSR.x2APIC.contains($0.msr) }.map(\.name).sorted()
    throw ValidationError("\"\(text)\" is no MSR; give a number (0x48) or one of \(names.joined(separator: ", "))")
  }
}
