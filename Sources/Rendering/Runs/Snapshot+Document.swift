// A snapshot as a person reads it.

public import Experiments
import Hypervisor
import Measurement
public import Migration

extension Snapshot<ExperimentState> {
  /// The snapshot as a document.
  ///
  /// - Throws: `ExperimentError.snapshot` when it is of no known experiment.
  public func document() throws(ExperimentError) -> Document { Document([.init([.facts(try facts())])]) }

  private func facts() throws(ExperimentError) -> [Document.Fact] {
    let (state, machine) = (guest.work, guest.machine)
    let experiment = try PausedExperiment(self).experiment
    let chosen = state.parameters.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    let iterations = experiment.iterationsPerSample.map(UInt64.init)
    let about: [Document.Fact?] = [
      .init("format", "version \(SnapshotHeader.currentVersion), its checksums are right"),
      .init("workload", "\(state.workload), entry \(state.entry)"),
      chosen.isEmpty ? nil : .init("parameters", chosen.joined(separator: ", ")),
      .init("policy", "\(guest.policy) of \(machine.subject) (\(machine.subject.hex))"),
    ]
    let held: [Document.Fact] = [
      .init("from", guest.origin),
      .init(
        "done",
        "\(state.samplesTaken) of \(iterations.count) samples"
          + (state.isBetweenSamples ? "" : ", and part of the next one") + "; "
          + "\(iterations.prefix(state.samplesTaken).reduce(0, +)) of \(iterations.reduce(0, +)) iterations whole"),
      .init("rip", machine.cpu.rip.hex),
      .init("\(machine.subject)", machine.subjectValue.map { "the guest reads \($0.hex)" } ?? "takes writes only"),
      .init(
        "guest is told",
        SpeculationView(machine.contract.cpuid, archCapabilities: machine.contract.archCapabilities.rawValue).text
          + "; CPUID of \(machine.contract.cpuid.entries.count) entries"),
      .init("MSRs", "\(machine.cpu.msrs.count), of which \(machine.cpu.msrs.count { $0.value != 0 }) are not 0"),
      .init(
        "memory",
        machine.memory.map { "\($0)" }.joined(separator: ", ")
          + "; \(pages.count) pages of 4096 bytes are not all zeroes"),
    ]
    let exits = machine.counters.byKind.sorted { $0.key.name < $1.key.name }.map { kind, count in
      Document.Fact("exits, \(kind.name)", "\(count)")
    }
    return about.compactMap(\.self) + guest.warnings.map(Document.Fact.warning) + held + exits
  }
}
