// `spectrap boot`: boots a foreign kernel under any policy.

import ArgumentParser
import Boot
import Experiments
import Glibc
import Hypervisor
import Images
import Measurement
import Migration
import Rendering
import SystemPackage

struct BootCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "boot",
    abstract: "Boots a Linux kernel, or another guest image, under a policy.",
    discussion: Help.text(
      """
      IMAGE is a Linux kernel (bzImage, or 64-bit ELF), a multiboot 1 image as in kvm-unit-tests, a static 64-bit ELF \
      program, or any file with --flat. A Linux kernel without an initrd gets a first process that measures its system \
      calls. Several images run one after the other, each in its own machine. If standard input is a terminal, the \
      guest gets the keyboard; Ctrl-A x ends the guest.
      """,
      examples: [
        "spectrap boot vmlinuz",
        "spectrap boot vmlinuz --policy shadow --append \"spectre_v2=ibrs\"",
      ], more: "docs/boot.md"))

  @Argument(help: ArgumentHelp("The image.", valueName: "image"), transform: FilePath.argument)
  var images: [FilePath]

  @Option(
    help: ArgumentHelp("The initrd of a Linux kernel.", valueName: "file"), transform: FilePath.argument)
  var initrd: FilePath?

  // The text may begin with a dash: kvm-unit-tests leave out a test whose name follows a dash.
  @Option(parsing: .unconditional, help: ArgumentHelp("Append this to the command line.", valueName: "text"))
  var append = ""

  @Option(help: .names(of: PolicyName.self, "Who owns IA32_SPEC_CTRL."), transform: PolicyName.argument)
  var policy: PolicyName = .emulate

  @Option(
    help: ArgumentHelp("The guest's memory, such as 128M or 1G.", valueName: "size"), transform: Self.memorySize)
  var memory: UInt64 = 128 << 20

  @Option(
    help: ArgumentHelp(
      "Stop after this many seconds; 0 for no limit (default: 60, or no limit if the guest has the keyboard).",
      valueName: "seconds"),
    transform: Run.timeLimits)
  var timeLimit: Double?

  @Option(
    help: ArgumentHelp("Write the results as JSON; - is standard output (docs/boot.md).", valueName: "file"),
    transform: FilePath.argument)
  var json: FilePath?

  @Option(
    help: ArgumentHelp(
      "Also write the serial port's output to this file; - is standard output, where it goes anyway.",
      valueName: "file"),
    transform: FilePath.argument)
  var serial: FilePath?

  @Option(help: .names(of: TimerChoice.self, "The guest's timer."), transform: TimerChoice.argument)
  var timer: TimerChoice = .pit

  @Option(
    help: .names(of: EntryProtocol.self, "How a 64-bit ELF file is entered."), transform: EntryProtocol.argument)
  var entry: EntryProtocol = .long

  @Option(
    help: ArgumentHelp(
      "The image has no header: load it at this address below 1 MiB, and start it there in real mode.",
      valueName: "address"),
    transform: Self.address)
  var flat: UInt64?

  @Flag(help: "On a host without IBPB, drop the guest's barriers (writes of IA32_PRED_CMD): it runs without them.")
  var dropPredCmd = false

  @Option(
    help: ArgumentHelp(
      "Show the guest only what the contract in this file allows (see `contract --output`).", valueName: "file"),
    transform: FilePath.argument)
  var contract: FilePath?

  @Option(
    help: ArgumentHelp(
      "Hide this bit of CPUID or of IA32_ARCH_CAPABILITIES from the guest (IBRS_ALL, SPEC_CTRL, …).",
      valueName: "bit"),
    transform: Self.hiddenBit)
  var hide: [HiddenBit] = []

  @Flag(help: "Let the policy adaptive open the register even if that gives up the protection of IBRS_ALL.")
  var acceptUnprotected = false

  @Flag(help: .exitReasons)
  var traceKvm = false

  @Flag(help: "Print results in the Test Anything Protocol, one per image.")
  var tap = false

  @OptionGroup var identity: IdentityOptions
  @OptionGroup var kvm: KVMOptions
  @OptionGroup var sandbox: SandboxOptions

  func validate() throws {
    try Input.check(images + [initrd, contract].compactMap { $0 })
    if acceptUnprotected && policy != .adaptive {
      throw ValidationError("--accept-unprotected is for the policy adaptive")
    }
    if let (first, second) = ResultFile.clash(of: [("--json", json), ("--serial", serial)]) {
      throw ValidationError("\(first) and \(second) name the same file; give each a file of its own")
    }
  }

  func run() throws {
    try Failure.reporting {
      let isInteractive = BootConsole.hasKeyboard && images.count == 1 && !tap
      // Files are opened before the sandbox is entered, and every refusal comes before a guest runs.
      let results = try json.map { try BootOutput($0) }
      let serialFile = try serial.flatMap { $0 == "-" ? nil : try BootOutput($0) }
      try Output.check()
      let limit = timeLimit ?? (isInteractive ? 0 : 60)
      let control = RunControl(timeLimit: limit == 0 ? nil : .seconds(limit))
      try Interrupt.cancels(control)

      let opened = try images.map { try OpenedGuestFile($0) }
      let initrd = try initrd.map { try OpenedGuestFile($0) }
      let pool = try contract.map(PoolContract.read)
      let exitReasons = traceKvm ? try ExitReasonTrace() : nil
      let kvm = try kvm.open()
      // A contract needs every proof of the host; otherwise only those that the policy needs are made.
      let terms: Terms =
        try pool == nil
        ? .prove(.specCtrl, for: policy, on: kvm, acceptsUnprotected: acceptUnprotected)
        : .prove(.specCtrl, on: kvm, acceptsUnprotected: acceptUnprotected)
      _ = try policy.protection(on: terms)
      let told = try pool.map {
        try $0.guestContract(on: kvm, offering: HostOffer.prove(on: kvm, abilities: terms.abilities), under: policy)
      }
      let headline = HostReport.summary()
      let identity = identity.begin()

      let form: BootConsole.Form =
        tap
        ? .lines(prefix: "# ")
        : isatty(Output.destination.rawValue) == 1 && !isInteractive ? .lines(prefix: "") : .raw
      var guests: [(name: String, console: BootConsole, guest: Result<BootedGuest, any Error>)] = []
      for (path, file) in zip(images, opened) {
        let console = BootConsole(form, file: serialFile?.descriptor, isInteractive: isInteractive)
        let guest = Result {
          try order(for: path, told: told, counting: exitReasons).prepare(
            file.content, initrd: initrd?.content, line: console, on: kvm, terms: terms,
            attaching: console.attach)
        }
        // The refusal of a single image is the failure of the command.
        if images.count == 1, case .failure(let error) = guest { throw error }
        guests.append((path.string, console, guest))
      }

      try sandbox.enter()
      if tap { try Output.result(BootOutcome.tapHeader(count: guests.count)) }
      var outcomes: [BootOutcome] = []
      var failures: [Failure] = []
      for (index, (name, console, guest)) in guests.enumerated() {
        let (outcome, failure) = try run(name, guest, console, control, isInteractive: isInteractive, limit: limit)
        outcomes.append(outcome)
        if let failure { failures.append(failure) }
        if tap {
          try Output.result(outcome.tapLine(index + 1))
        } else {
          try Output.document(outcome.document(on: headline))
        }
        if control.isCancelled { break }
      }
      if guests.count > 1, !tap { try Output.result(BootOutcome.summary(of: outcomes)) }
      try results?.write(BootDocument(identity: identity, host: headline, guests: outcomes.compactMap(\.report)))
      if let failure = failures.first {
        guard outcomes.count > 1 else { throw failure }
        throw Failure(
          status: failure.status,
          message: "\(failures.count) of \(outcomes.count) images failed; the first: \(failure.message)")
      }
      withExtendedLifetime((opened, initrd, serialFile)) {}
    }
  }

  /// Runs a guest, and shows the output of its serial port.
  private func run(
    _ name: String, _ guest: Result<BootedGuest, any Error>, _ console: BootConsole, _ control: RunControl,
    isInteractive: Bool, limit: Double
  ) throws -> (outcome: BootOutcome, failure: Failure?) {
    let booted: BootedGuest
    switch guest {
    case .success(let guest): booted = guest
    case .failure(let error):
      let failure = Failure(error)
      return (BootOutcome(name: name, refusal: failure.message), failure)
    }
    let record: BootRecord
    do {
      let terminal = isInteractive ? try console.handOverKeyboard(cancelling: control) : nil
      record = try booted.run(control: control)
      _ = consume terminal
    }
    do throws(Errno) { try console.finish() } catch { throw Failure(error, writing: "the guest's serial port") }
    let status: Failure.Status =
      switch record.end {
      case .stopped(.timeLimit): .timedOut
      case .stopped: .interrupted
      default: .software
      }
    let outcome = BootOutcome(name: name, BootReport(record), limit: limit)
    return (outcome, outcome.failure.map { Failure(status: status, message: $0) })
  }

  private func order(for image: FilePath, told: GuestContract?, counting trace: ExitReasonTrace?) -> BootOrder {
    var order = BootOrder(name: "\(image)", policy: policy, memory: memory, commandLine: append)
    order.entry = entry
    order.hasTimer = timer == .pit
    order.flatAddress = flat
    order.dropsBarriers = dropPredCmd
    order.contract = told
    order.hidden = hide
    order.exitReasonTrace = trace
    return order
  }

  // MARK: Arguments

  /// The timer that KVM gives the guest.
  enum TimerChoice: String, Named {
    case pit, none
  }

  /// A size of memory in bytes, in kibi-, mebi- or gibibytes with K, M or G.
  private static func memorySize(_ text: String) throws -> UInt64 {
    let units: [Character: UInt64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
    let unit = text.uppercased().last.flatMap { units[$0] }
    let (size, isTooLarge) =
      UInt64(unit == nil ? text[...] : text.dropLast()).map { $0.multipliedReportingOverflow(by: unit ?? 1) } ?? (
        0, true
      )
    guard !isTooLarge, BootPlan.memorySizes.contains(size), size.isMultiple(of: 4096) else {
      throw ValidationError(
        "give whole pages of 4096 bytes from \(BootPlan.memorySizes.lowerBound >> 20)M to "
          + "\(BootPlan.memorySizes.upperBound >> 20)M")
    }
    return size
  }

  private static func address(_ text: String) throws -> UInt64 {
    let value = text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
    guard let value, value < 0x10_0000 else { throw ValidationError("give an address below 0x100000") }
    return value
  }

  private static func hiddenBit(_ text: String) throws -> HiddenBit {
    if let bit = HiddenBit(text) { return bit }
    throw ValidationError("give \(Suggestion.text(for: text.uppercased(), among: HiddenBit.names))")
  }
}

extension EntryProtocol: Named {}
