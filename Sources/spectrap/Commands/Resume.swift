// `spectrap resume`: continues a guest from a snapshot.

import ArgumentParser
import Experiments
import Hypervisor
import Migration
import SystemPackage

struct Resume: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume",
    abstract: "Resumes the guest in a file that `run --snapshot-at` wrote.",
    discussion: Help.text(
      """
      The guest continues where it was paused, under its own policy or another, and ends with the counts of a guest \
      that was never stopped. The file is not changed, so a guest can be resumed from it more than once.
      """,
      examples: [
        "spectrap resume guest.snap",
        "spectrap resume guest.snap --policy shadow --json",
      ], more: "docs/snapshots.md"))

  @Argument(help: "The file.", transform: FilePath.argument)
  var file: FilePath

  @Option(
    help: .names(of: PolicyName.self, "Who owns the MSR from now on (default: as before)."),
    transform: PolicyName.argument)
  var policy: PolicyName?

  @Flag(help: "Resume even if the guest is protected less than it believes; every later result then says so.")
  var acceptUnprotected = false

  @Option(
    help: ArgumentHelp("Stop after this many seconds; 0 for no limit.", valueName: "seconds"),
    transform: Run.timeLimits)
  var timeLimit = 60.0

  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  @OptionGroup var identity: IdentityOptions
  @OptionGroup var kvm: KVMOptions
  @OptionGroup var sandbox: SandboxOptions

  func run() throws {
    try Failure.reporting {
      let snapshot = try ExperimentSnapshot.read(file)
      let paused = try PausedExperiment(snapshot, under: policy)
      let kvm = try kvm.open()
      let terms = try Terms.prove(paused.experiment.msr, on: kvm, acceptsUnprotected: acceptUnprotected)
      let control = RunControl(timeLimit: timeLimit == 0 ? nil : .seconds(timeLimit))
      try Interrupt.cancels(control)
      let host = HostDescription(json: json, identity)
      let record = try paused.resume(
        on: kvm, terms: terms, control: control, beforeEntry: sandbox.enter)
      try Run.show(record, entryChoice: "as it was started", on: host)
      try Self.checkCompletion(of: record.stopped, after: timeLimit)
    }
  }

  /// As `Run.checkCompletion`, for a guest that came from elsewhere and is not kept when it pauses.
  ///
  /// - Throws: `Failure` when the guest did not finish.
  static func checkCompletion(of stopped: RunControl.Stop?, after timeLimit: Double) throws {
    guard stopped != .paused else {
      throw Failure(status: .software, message: "the guest paused, which nobody asked for, and its state is lost")
    }
    try Run.checkCompletion(of: stopped, after: timeLimit)
  }
}
