// What a snapshot holds, as a person reads it: `spectrap inspect`.

import GuestImages
import Hypervisor
import Measurement
public import Migration

extension Snapshot<ExperimentState> {
  /// What there is to say of it, fact by fact: a name and a text each.
  ///
  /// Throws `ExperimentError.snapshot` when it is of no experiment that there is.
  public func summary() throws(ExperimentError) -> [(name: String, text: String)] {
    let (state, machine) = (guest.work, guest.machine)
    let experiment = try Experiment(resuming: self)
    var facts = [
      (name: "format", text: "version \(SnapshotHeader.currentVersion), its checksums are right"),
      ("workload", "\(state.workload), entry \(state.entry)"),
    ]
    let chosen = state.parameters.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    if !chosen.isEmpty { facts.append(("parameters", chosen.joined(separator: ", "))) }
    facts.append(("policy", "\(guest.policy) of \(machine.subject) (\(machine.subject.hex))"))
    for warning in guest.warnings { facts.append(("WARNING", warning)) }
    let iterations = experiment.orders.map(UInt64.init)
    facts += [
      ("from", guest.origin),
      (
        "done",
        "\(state.samplesTaken) of \(iterations.count) samples"
          + (state.isBetweenSamples ? "" : ", and part of the next one") + "; "
          + "\(iterations.prefix(state.samplesTaken).reduce(0, +)) of \(iterations.reduce(0, +)) iterations whole"
      ),
      ("rip", "0x" + String(machine.cpu.rip, radix: 16)),
      (
        "\(machine.subject)",
        machine.subjectValue.map { "the guest reads 0x" + String($0, radix: 16) } ?? "takes writes only"
      ),
      (
        "guest is told",
        SpeculationView(machine.told.cpuid, archCapabilities: machine.told.archCapabilities.rawValue).line
          + "; CPUID of \(machine.told.cpuid.entries.count) entries"
      ),
      ("MSRs", "\(machine.cpu.msrs.count), of which \(machine.cpu.msrs.count { $0.value != 0 }) are not 0"),
      (
        "memory",
        machine.memory.map { "\($0)" }.joined(separator: ", ")
          + "; \(pages.count) pages of 4096 bytes are not all zeroes"
      ),
    ]
    for (kind, count) in machine.counters.byKind.sorted(by: { $0.key.name < $1.key.name }) {
      facts.append(("exits, \(kind.name)", "\(count)"))
    }
    return facts
  }
}
