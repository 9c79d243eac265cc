// `spectrap bench`: measures what each policy costs on this host, and judges the claims of 2018.

import ArgumentParser
import Experiments
import GuestImages
import Hypervisor
import Measurement
import Rendering
import SystemPackage

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measures what each policy costs on this host, and judges the claims of 2018.",
    discussion: Help.text(
      """
      Guests run in random order, round after round, until every ratio is known to --precision, until --time is used \
      up, or for a number of --rounds. Ctrl-C ends the benchmark early and reports what was measured until then.

      An output file is replaced in one step; a device or a pipe is written to directly. - is standard output; the \
      text then goes to standard error.
      """,
      examples: [
        "spectrap bench",
        "spectrap bench --rounds 10 --json host.json",
        "spectrap bench --workload ibrs --policy emulate --policy shadow --verbose",
      ], more: "docs/measuring.md"))

  @Option(
    name: .customLong("workload"),
    help: .names(of: Workload.Name.self, "Measure only these workloads and primitives; may be repeated."),
    transform: Workload.Name.argument)
  var workloads: [Workload.Name] = []

  @Option(
    name: .customLong("guest"),
    help: ArgumentHelp(
      "Also measure your own guest, a static ELF file that follows docs/guest-abi.md; may be repeated.",
      valueName: "name=file"),
    transform: OwnGuest.init)
  var guests: [OwnGuest] = []

  @Option(
    name: .customLong("entry"), help: .names(of: Entry.self, "Measure only with these entries; may be repeated."),
    transform: Entry.argument)
  var entries: [Entry] = []

  @Option(
    name: .customLong("policy"), help: .names(of: PolicyName.self, "Measure only these policies; may be repeated."),
    transform: PolicyName.argument)
  var policies: [PolicyName] = []

  @Flag(help: "Let the policy adaptive open the register even if that gives up the protection of IBRS_ALL.")
  var acceptUnprotected = false

  @Flag(help: "Measure with every entry that works on this host, not only the best.")
  var allEntries = false

  @Option(help: ArgumentHelp("The MSR to measure.", valueName: "name|0xN"), transform: MSR.argument)
  var msr: MSR = .specCtrl

  @Option(help: ArgumentHelp("Stop when every ratio is known this precisely (default: 2).", valueName: "percent"))
  var precision: Double?

  @Option(help: ArgumentHelp("Stop after this time (default: 30).", valueName: "seconds"))
  var time: Double?

  @Option(
    help: ArgumentHelp("Measure this many rounds of every cell, however long they take.", valueName: "count"),
    transform: whole(1...1_000_000))
  var rounds: Int?

  @Option(
    help: ArgumentHelp(
      "Spread the rounds over this time, to cover more than one moment (default: 20, with 5 rounds or more).",
      valueName: "seconds"))
  var spread: Double?

  @Option(
    help: "The seed of every random choice (default: from the clock; it is printed).", transform: whole(0...UInt64.max))
  var seed: UInt64?

  @Option(
    help: "The processor to measure on (default: the last that this process may use).", transform: Self.processor)
  var cpu: Int?

  @Option(
    help: ArgumentHelp("Write the whole result as JSON, with all raw samples.", valueName: "file"),
    transform: FilePath.argument)
  var json: FilePath?

  @Option(
    help: ArgumentHelp("Write one row per cell as CSV.", valueName: "file"), transform: FilePath.argument)
  var csv: FilePath?

  @Option(
    help: ArgumentHelp("Write one row per sample as CSV.", valueName: "file"), transform: FilePath.argument)
  var samplesCSV: FilePath?

  @Option(
    name: .customLong("other-mode"),
    help: ArgumentHelp(
      "Also judge C4 and C5 by this result of the same host with another spec_ctrl_mode; may be repeated.",
      valueName: "result.json"),
    transform: FilePath.argument)
  var otherModes: [FilePath] = []

  @Flag(help: "Measure single instructions alone, and the parts of an exit.")
  var primitives = false

  @Flag(help: .exitReasons)
  var traceKvm = false

  @Flag(help: "Print Markdown instead of text.")
  var markdown = false

  @Flag(help: "Print every table after the first screen, with each cell's id, interval and samples.")
  var verbose = false

  @OptionGroup var kernel: KernelOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var kvm: KVMOptions

  func validate() throws {
    if let guest = guests.first(where: { guest in guests.count(where: { $0.name == guest.name }) > 1 }) {
      throw ValidationError("two guests are called \(guest.name); give each a name of its own")
    }
    if kernel.image != nil, msr != .specCtrl {
      throw ValidationError("--kernel measures writes of IA32_SPEC_CTRL only; leave out --msr or --kernel")
    }
    if let (first, second) = ResultFile.clash(of: [("--json", json), ("--csv", csv), ("--samples-csv", samplesCSV)]) {
      throw ValidationError("\(first) and \(second) name the same file; give each a file of its own")
    }
    if let precision, !(precision > 0 && precision <= 100) {
      throw ValidationError("--precision takes more than 0 and at most 100 %")
    }
    if let time, !(time > 0 && time <= 1e6) {
      throw ValidationError("--time takes more than 0 and at most 1000000 seconds")
    }
    if let spread, !(spread >= 0 && spread <= 1e6) {
      throw ValidationError("--spread takes 0 to 1000000 seconds")
    }
    guard rounds != nil else {
      guard spread == nil else {
        throw ValidationError("--spread needs a number of rounds; add --rounds, or leave it out")
      }
      return
    }
    guard time == nil, precision == nil else {
      throw ValidationError(
        "--rounds measures that many rounds, however long they take and however precise they are; leave out "
          + (time == nil ? "--precision" : "--time"))
    }
  }

  func run() throws {
    try Failure.reporting {
      // First, so that a path that cannot be written fails before anything is measured.
      let jsonFile = try json.map { try ResultFile($0, reserving: Self.bytesOfRest + sampleCount * Self.bytesOfSample) }
      let csvFile = try csv.map { try ResultFile($0) }
      let samplesFile = try samplesCSV.map { try ResultFile($0, reserving: sampleCount * Self.bytesOfRow) }
      let measured = try kernel.prove(on: kvm.path)
      var options = options
      options.otherModes = try otherModes.map(BenchReport.read)
      options.kernel = measured?.order
      options.selection.guests = try guests.map { try GuestImage(file: $0.file, named: $0.name) }
      var bench: Bench
      do { bench = try Bench(options) } catch let error as Errno {
        throw Failure(status: .osError, message: "measuring on processor \(cpu ?? 0) failed: \(error)")
      }

      let control = Bench.makeControl()
      try Interrupt.cancels(control)
      var progress = Progress(total: rounds == nil ? options.time / .seconds(1) : nil)
      let report = try bench.run(control: control) { progress.show($0) }
      progress.clear()
      withExtendedLifetime(measured) {}

      // If one output cannot be written, the others still are.
      let written = [
        Result { try jsonFile?.write(try report.jsonText()) },
        Result { try csvFile?.write(report.csv) },
        Result { try samplesFile?.write(report.samplesCSV) },
        Result { try markdown ? Output.result(report.markdown) : Output.documents(documents(of: report)) },
      ]
      var unwritten: ExitCode?
      for case .failure(let error) in written { unwritten = Failure.report(error) }
      if let unwritten { throw unwritten }
      if report.partial {
        throw Failure(status: .interrupted, message: "stopped on request; the results until then are above")
      }
      if let failures = report.failures { throw Failure(status: .software, message: failures) }
    }
  }

  /// The first screen, the tables where workloads were chosen, or both.
  ///
  /// The first screen may lack the chosen workloads, and it never shows a guest that was added.
  private func documents(of report: BenchReport) -> [(document: Document, width: Int)] {
    let tables = (report.document(verbose ? .verbose : .brief), Terminal.width)
    guard workloads.isEmpty && !primitives || verbose else { return [tables] }
    let screen = (report.firstScreen, min(Terminal.width, BenchReport.firstScreenWidth))
    return verbose || !guests.isEmpty || kernel.image != nil ? [screen, tables] : [screen]
  }

  /// Parses the number of a processor that this process may run on.
  ///
  /// - Throws: `ValidationError`, which lists those processors.
  private static func processor(_ text: String) throws -> Int {
    let allowed = CPUAffinity.allowed
    if let cpu = Int(text), allowed.contains(cpu) { return cpu }
    throw ValidationError("give a processor that this process may run on: \(CPUList(allowed))")
  }

  /// An upper estimate of the number of samples, made before the benchmark is planned.
  private var sampleCount: Int {
    // A round of everything has up to `perRound` samples; no known host has taken `perSecond` samples in a second.
    let (perRound, perSecond, most) = (2_000.0, 1_000.0, 200_000.0)
    return Int(min(most, rounds.map { Double($0) * perRound } ?? options.time / .seconds(1) * perSecond))
  }

  /// Sizes in bytes: the JSON without its samples, a sample in JSON, and the row of a sample in CSV.
  private static let (bytesOfRest, bytesOfSample, bytesOfRow) = (256 << 10, 25, 60)

  private var options: BenchOptions {
    var options = BenchOptions()
    options.tracesExits = traceKvm
    options.selection.workloads = Set(workloads + (primitives ? Workload.Name.hostPrimitives : []))
    options.selection.policies = Set(policies)
    options.selection.entries = Set(entries)
    options.selection.allEntries = allEntries
    options.selection.msr = msr
    options.selection.acceptsUnprotected = acceptUnprotected
    if let precision { options.precision = precision / 100 }
    if let time { options.time = .seconds(time) }
    options.rounds = rounds
    options.spread = spread.map { .seconds($0) }
    options.seed = seed ?? UInt64.random(in: 0..<1_000_000)
    options.cpu = cpu
    options.path = kvm.path
    options.identity = identity.begin()
    options.version = Spectrap.version
    return options
  }
}

/// A guest of the user's, and its name in the result.
struct OwnGuest {
  let name: String
  let file: FilePath

  /// "NAME=FILE".
  ///
  /// - Throws: `ValidationError`.
  @Sendable init(_ text: String) throws {
    guard let sign = text.firstIndex(of: "="), sign != text.startIndex else {
      throw ValidationError("give NAME=FILE: the guest's name in the result, and its ELF file")
    }
    name = String(text[..<sign])
    file = try FilePath.argument(String(text[text.index(after: sign)...]))
  }
}
