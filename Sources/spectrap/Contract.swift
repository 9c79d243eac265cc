// `spectrap contract`: the most that a guest may be told so that it can run on every host of a pool.

import ArgumentParser
import Experiments
import Hypervisor
import Measurement
import Migration
import SystemPackage

struct Contract: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "contract",
    abstract: "Says what a guest may be told so that it can run on each of several hosts.",
    discussion: """
      HOST is a file that `spectrap probe --json` has written there; the host is called by the file's name. \
      `spectrap run --contract FILE` starts a guest under the contract that --output wrote.
      """)

  @Argument(
    help: ArgumentHelp("What `spectrap probe --json` printed on a host.", valueName: "host.json"),
    transform: FilePath.argument)
  var hosts: [FilePath]

  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  @Option(
    help: ArgumentHelp("Write the contract as JSON; - is standard output.", valueName: "file"),
    transform: FilePath.argument)
  var output: FilePath?

  func validate() throws { try Input.check(hosts) }

  func run() throws {
    try Failure.reporting {
      let file = try output.map { try ResultFile($0) }
      let contract = try PoolContract(of: try hosts.map(HostOffer.read))
      try file?.write(try Output.encoded(contract))
      if json { try Output.json(contract) } else { try Output.result(contract.text) }
    }
  }
}

extension PoolContract {
  fileprivate var text: String {
    var facts = TextTable()
    func add(_ name: String, _ names: [String], none: String = "nothing") {
      facts.add(name, names.isEmpty ? none : names.joined(separator: ", "))
    }
    facts.add("vendor", vendor)
    facts.add("addresses", "\(physicalAddressBits) bits physical, \(linearAddressBits) bits linear")
    add("CPUID", cpuid.names)
    add("IA32_ARCH_CAPABILITIES", archCapabilities.names)
    add("IA32_SPEC_CTRL", specCtrl.names, none: "no such register")
    add(
      "time-stamp counter",
      [
        tscKilohertz.map { "\(Double($0) / 1000) MHz on every host" }
          ?? "not known to run at one rate everywhere: a guest that moves is warned where it does not"
      ])
    let title = "What a guest may be told on all of \(hosts.map(\.name).joined(separator: ", "))"
    var text = title.wrapped(width: Terminal.width) + facts.text(width: Terminal.width)
    for host in hosts { text += "\n" + host.text }
    return text
  }
}

extension PoolContract.Host {
  fileprivate var text: String {
    var table = TextTable()
    func add(_ name: String, _ text: String) { table.add("  \(name)", text) }
    add("policy", "\(policy.rawValue), protects: \(protection.word); \(reason)")
    for (name, costs) in [
      ("costs of CPUID", costs.cpuid), ("of ARCH_CAPABILITIES", costs.archCapabilities),
      ("of SPEC_CTRL", costs.specCtrl), ("of feature MSRs", costs.featureMSRs), ("clock", costs.clock),
      ("warnings", costs.warnings),
    ] where !costs.isEmpty { add(name, costs.joined(separator: ", ")) }
    return name + "\n" + table.text(width: Terminal.width)
  }
}
