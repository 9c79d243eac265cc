// A pool's contract as a person reads it: what guests are told, then which features each host removes.

import Experiments
import Hypervisor
import Measurement
public import Migration

extension PoolContract {
  /// The contract as a document.
  public var document: Document {
    func list(_ names: [String], none: String = "nothing") -> String {
      names.isEmpty ? none : names.joined(separator: ", ")
    }
    let clock =
      tscKilohertz.map { "\(Decimal.text(Double($0) / 1000, upTo: 3)) MHz on every host" }
      ?? "not known to have the same rate on every host: a move to another rate gives a warning"
    let told: [Document.Fact] = [
      .init("vendor", vendor),
      .init("addresses", "\(physicalAddressBits) bits physical, \(linearAddressBits) bits linear"),
      .init("CPUID", list(cpuid.names)), .init("IA32_ARCH_CAPABILITIES", list(archCapabilities.names)),
      .init("IA32_SPEC_CTRL", list(specCtrl.names, none: "no such register")), .init("time-stamp counter", clock),
    ]
    let title = "What a guest may be told on all of \(hosts.map(\.name).joined(separator: ", "))"
    return Document([.init(.init(title), [.facts(told)])] + hosts.map(\.section))
  }
}

extension PoolContract.Host {
  fileprivate var section: Document.Section {
    let lists = [
      ("costs of CPUID", costs.cpuid), ("of ARCH_CAPABILITIES", costs.archCapabilities),
      ("of SPEC_CTRL", costs.specCtrl), ("of feature MSRs", costs.featureMSRs), ("clock", costs.clock),
      ("warnings", costs.warnings),
    ].filter { !$0.1.isEmpty }
    let policy = Document.Fact("policy", "\(policy.rawValue), protects: \(protection.summary); \(reason)")
    return .init(
      .init(name), [.facts([policy] + lists.map { .init($0.0, $0.1.joined(separator: ", ")) }, indent: 2)])
  }
}
