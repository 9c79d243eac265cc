// `spectrap inspect`: what a snapshot holds. Needs no KVM.

import ArgumentParser
import Experiments
import GuestImages
import Hypervisor
import Measurement
import Migration

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Shows what the file of a snapshot holds. Needs no KVM.")

  @Argument(help: "The file.")
  var file: String

  @Flag(help: "Print the guest's state as JSON (docs/json.md), without its memory.")
  var json = false

  func run() throws {
    try Failure.reporting {
      let snapshot = try SnapshotInput.read(file)
      if json { try Output.json(snapshot.guest) } else { try Output.result(try snapshot.text()) }
    }
  }
}

extension ExperimentSnapshot {
  fileprivate func text() throws -> String {
    let (state, machine) = (guest.work, guest.machine)
    let experiment = try Experiment(resuming: self)
    var table = Table()
    table.add("format", "version \(SnapshotHeader.currentVersion), its checksums are right")
    table.add("workload", "\(state.workload), entry \(state.entry)")
    let chosen = state.parameters.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    if !chosen.isEmpty { table.add("parameters", chosen.joined(separator: ", ")) }
    table.add("policy", "\(guest.policy) of \(machine.subject) (\(machine.subject.hex))")
    for warning in guest.warnings { table.add("WARNING", warning) }
    table.add("from", guest.origin)
    table.add(
      "done",
      "\(state.samplesTaken) of \(state.orders.count) samples"
        + (state.isBetweenSamples ? "" : ", and part of the next one") + "; "
        + "\(experiment.orders.prefix(state.samplesTaken).reduce(0) { $0 + UInt64($1) }) of "
        + "\(experiment.orders.reduce(0) { $0 + UInt64($1) }) iterations whole")
    table.add("rip", "0x" + String(machine.cpu.rip, radix: 16))
    table.add(
      "\(machine.subject)",
      machine.subjectValue.map { "the guest reads 0x" + String($0, radix: 16) } ?? "takes writes only")
    table.add(
      "guest is told",
      SpeculationView(machine.told.cpuid, archCapabilities: machine.told.archCapabilities.rawValue).line
        + "; CPUID of \(machine.told.cpuid.entries.count) entries")
    table.add("MSRs", "\(machine.cpu.msrs.count), of which \(machine.cpu.msrs.count { $0.value != 0 }) are not 0")
    table.add(
      "memory",
      machine.memory.map { "\($0)" }.joined(separator: ", ") + "; \(pages.count) pages of 4096 bytes are not all zeroes"
    )
    for (kind, count) in machine.counters.byKind.sorted(by: { $0.key.name < $1.key.name }) {
      table.add("exits, \(kind.name)", "\(count)")
    }
    return table.text
  }
}
