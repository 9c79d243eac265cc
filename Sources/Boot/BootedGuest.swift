// Prepares a guest in its machine, with every check that may refuse it, and runs it to its end.

import CKVM
import Devices
import Experiments
public import Hypervisor
import Images

/// A guest that is ready to run, and can be resumed after a stop.
///
/// The body is a closure, because the run loop of a generic class would not be specialised for the policy.
public struct BootedGuest {
  fileprivate let body: (RunControl) throws -> BootRecord

  /// Runs the guest to its end.
  ///
  /// After a stop, a further call resumes the guest. Spectrap's own first process measures once more in each run.
  ///
  /// The record's times, marks and figures are those of this run; its counts of exits are those of all runs.
  ///
  /// - Throws: `KVMError` when the run cannot begin.
  public func run(control: RunControl) throws -> BootRecord { try body(control) }
}

extension BootOrder {
  /// Makes the machine and puts the guest into it.
  ///
  /// `line` is the host's end of the serial port; `attach` receives the port's interrupt line.
  ///
  /// - Throws: `BootError` when the image cannot be booted here, `PolicyError.refused` when the host cannot honour the
  ///   policy, `GuestFileError` when a file cannot be read, and the errors of making a machine.
  public func prepare(
    _ image: GuestFile, initrd: GuestFile?, line: any SerialLine, on kvm: borrowing KVM, terms: Terms,
    attaching attach: (consuming InterruptLine) -> Void = { _ in }
  ) throws -> BootedGuest {
    let bootable: BootableImage
    do throws(ImageError) {
      if let flatAddress {
        bootable = try BootableImage(flat: image, at: flatAddress)
      } else {
        bootable = try BootableImage(reading: image)
      }
    } catch { throw BootError.image(name: name, error) }
    if bootable.isLinux, let reason = try LinuxSupport.proveRefusal(on: kvm) {
      throw BootError.refused(name: name, reason)
    }
    let terms = try terms.measured(for: policy, on: kvm)
    let prepared = try policy.make(
      on: kvm, terms: terms,
      for: Preparation(order: self, image: bootable, file: image, initrd: initrd, line: line, terms: terms))
    attach(try prepared.interruptLine())
    return prepared.guest
  }

  /// The guest's contract: the order's or the policy's, changed to that of a PC with one processor, without the hidden
  /// bits.
  fileprivate func requestedContract(on kvm: borrowing KVM, terms: Terms, offer: GuestContract) throws
    -> GuestContract
  {
    var result = contract ?? policy.contract(from: offer, on: terms)
    result.cpuid = result.cpuid.ofOneProcessor(hasDeadlineTimer: try kvm.has(.tscDeadlineTimer))
    for bit in hidden { bit.hide(in: &result) }
    return result
  }
}

/// Makes the machine, for each type of policy.
private struct Preparation: PolicyVisitor {
  let order: BootOrder
  let image: BootableImage
  let file: GuestFile
  let initrd: GuestFile?
  let line: any SerialLine
  let terms: Terms

  func visit<P: Policy & ~Copyable>(_ policy: consuming P, on kvm: borrowing KVM) throws -> Prepared {
    let offer = try GuestContract(offeredBy: kvm)
    let machine = try Machine(
      on: kvm, policy: BootPolicy(policy, droppingBarriers: order.dropsBarriers), terms: terms.acceptingNoProtection(),
      contract: try order.requestedContract(on: kvm, terms: terms, offer: offer),
      hardware: MachineHardware(
        interrupts: order.hasTimer ? .controllersAndTimer : .controllers, countsUnservedMSRs: true,
        memory: Int(order.memory)))
    // The machine's policy has settled on its terms.
    let interception: RunRecord.Interception =
      machine.currentPolicy.intercepts.isEmpty ? .never : machine.currentPolicy.changesIntercepts ? .atTimes : .always
    let barrierRefusal = LinuxSupport.barrierRefusal(contract: machine.contract, offered: offer.cpuid)
    if order.dropsBarriers, barrierRefusal == nil {
      throw BootError.refused(
        name: order.name,
        "--drop-pred-cmd would drop nothing: it is for a host without IBPB whose guest sees SPEC_CTRL; leave it out")
    }
    if image.isLinux, !order.dropsBarriers, let barrierRefusal {
      throw BootError.refused(name: order.name, barrierRefusal)
    }
    let box = Box(
      try BootedMachine(order, image, file: file, initrd: initrd, line: line, machine, interception))
    return Prepared(
      guest: BootedGuest { try box.machine.run(control: $0) },
      interruptLine: { () throws(KVMError) in try box.machine.interruptLine() })
  }

  /// Holds a machine that several closures share.
  private final class Box<P: Policy & ~Copyable> {
    var machine: BootedMachine<P>
    init(_ machine: consuming BootedMachine<P>) { self.machine = machine }
  }
}

/// A guest, and its serial port's interrupt line.
private struct Prepared {
  let guest: BootedGuest
  let interruptLine: () throws(KVMError) -> InterruptLine
}

private struct BootedMachine<P: Policy & ~Copyable>: ~Copyable {
  private let order: BootOrder
  private let image: BootableImage
  private let commandLine: String
  private let usesOwnProcess: Bool
  private let interception: RunRecord.Interception
  /// Whether KVM counts every interrupt that the guest gets.
  private let countsInterrupts = VendorModule().countsInterrupts
  private var machine: Machine<BootPolicy<P>>
  private var pc: PC

  init(
    _ order: BootOrder, _ image: BootableImage, file: GuestFile, initrd: GuestFile?, line: any SerialLine,
    _ machine: consuming Machine<BootPolicy<P>>, _ interception: RunRecord.Interception
  ) throws {
    var machine = machine
    var initrd = initrd
    let usesOwnProcess = image.isLinux && initrd == nil
    if usesOwnProcess { initrd = GuestFile(try InitProgram(repetitions: InitProgram.usualRepetitions).archive()) }
    let commandLine =
      switch image.format {
      case _ where image.isLinux:
        LinuxSupport.commandLine(tscKilohertz: try machine.vcpu.tscFrequency(), appending: order.commandLine)
      // By convention, a multiboot image's own name comes first.
      case .multiboot: order.commandLine.isEmpty ? order.name : "\(order.name) \(order.commandLine)"
      case .bzImage, .elf64, .flat: order.commandLine
      }
    let plan: BootPlan
    do throws(ImageError) {
      plan = try BootPlan(
        image, memory: order.memory, commandLine: Array(commandLine.utf8), initrd: initrd?.count, by: order.entry)
    } catch { throw BootError.image(name: order.name, error) }
    try machine.load(plan, of: file, initrd: initrd)
    let interrupts = try machine.vm.interruptInputs()
    // Nothing below throws: a noncopyable value must be initialised completely.
    pc = PC(memory: order.memory, line: line, interrupts: interrupts)
    self.usesOwnProcess = usesOwnProcess
    self.interception = interception
    self.commandLine = commandLine
    self.order = order
    self.image = image
    self.machine = machine
  }

  func interruptLine() throws(KVMError) -> InterruptLine { try machine.vm.interruptLine(Serial8250.interrupt) }

  mutating func run(control: RunControl) throws -> BootRecord {
    pc.resume()
    // Statistics that cannot be read are left out; the VMM's own count remains.
    let before = try? machine.vcpu.statistics()
    let reasonsBefore = try order.exitReasonTrace?.counts()
    let interruptions = machine.counters.interruptions
    let began = ContinuousClock.now
    var observer = MarkObserver(
      subject: order.subject, countsInterrupts: countsInterrupts, began: began, statisticsBefore: before)
    let end: BootRecord.End
    do throws(RunError) {
      let ended = try machine.run(&pc, observer: &observer, control: control)
      end = if case .stopped(let stop) = ended { .stopped(stop) } else { portEnd }
    } catch {
      pc.flush()
      end = try self.end(of: error)
    }
    pc.flush()
    if let failure = pc.failure { throw failure }
    let duration = ContinuousClock.now - began
    let statistics = try? machine.vcpu.statistics()
    let reasons = try order.exitReasonTrace?.counts()
    let signals = machine.counters.interruptions &- interruptions
    // The stop itself is one of the interruptions.
    var ordered: UInt64 = 0
    if case .stopped = end { ordered = 1 }
    let told = usesOwnProcess ? ToldText(pc.doorbell.text) : ToldText([])
    return BootRecord(
      order: order, format: image.format, isLinux: image.isLinux, commandLine: commandLine,
      protection: machine.protection.given(machine.contract, about: order.subject), mechanism: P.mechanism,
      contract: machine.contract, end: end, counters: machine.counters,
      kvmExits: statistics?.growth(of: "exits", since: before),
      kvmStatistics: statistics.flatMap { now in before.map(now.growth(since:)) },
      exitReasons: reasons.map { $0.growth(since: reasonsBefore ?? [:]) }, interception: interception,
      signals: signals > ordered ? signals - ordered : 0, subjectAtEnd: try? machine.subjectValue(),
      tally: machine.currentPolicy.tally,
      droppedBarriers: machine.currentPolicy.droppedBarriers, duration: duration, marks: observer.marks,
      mitigation: told.mitigation, isIsolated: told.isIsolated,
      figures: usesOwnProcess ? KernelFigure.figures(in: pc.doorbell.data, observer.marks) : [],
      lastLines: lastLines(of: end))
  }

  /// The last lines of the serial port; after a panic, the lines from the panic's message on.
  private func lastLines(of end: BootRecord.End) -> [String] {
    if case .panic = end { return pc.tail.lines(12, from: Self.panic) }
    return pc.tail.lines(12)
  }

  private static var panic: String { "Kernel panic" }

  /// How a guest ended when the run loop stopped without an error.
  private var portEnd: BootRecord.End {
    switch pc.end {
    case .status(let value): .status(value)
    case .done: .done
    case .reset: .reset
    case nil: .halted
    }
  }

  /// How a guest ended when the run loop threw an error.
  private func end(of error: RunError) throws -> BootRecord.End {
    switch error {
    case .tripleFault(let state):
      // With reboot=t, Linux resets the machine by a triple fault, also after a panic.
      if image.isLinux, pc.tail.contains(Self.panic) { return .panic }
      return image.isLinux && pc.tail.contains("reboot: ") ? .powerOff : .tripleFault(state)
    case .unanswered(.systemEvent, _): return .powerOff
    case .kvm(let error): throw error
    default: return .failed(error)
    }
  }
}

/// Records the counts at each mark.
private struct MarkObserver: ExitObserver {
  /// The most marks that are kept; a guest may write any number of them.
  private static let limit = 64

  // The fields that each exit touches come first: access to a field behind an instant, whose size is known only at run
  // time, costs a look-up.
  let subject: MSR
  private var writes: UInt64 = 0
  private var exits: UInt64 = 0
  let countsInterrupts: Bool
  let began: ContinuousClock.Instant
  let statisticsBefore: Statistics?
  private(set) var marks: [BootRecord.Mark] = []

  init(subject: MSR, countsInterrupts: Bool, began: ContinuousClock.Instant, statisticsBefore: Statistics?) {
    self.subject = subject
    self.countsInterrupts = countsInterrupts
    self.began = began
    self.statisticsBefore = statisticsBefore
  }

  mutating func willAnswer(_ exit: Exit, of cpu: borrowing VirtualCPU) {
    switch exit {
    case .interrupted: return
    case .writeMSR(let access) where access.msr == subject: writes &+= 1
    case .portOut(let access) where access.port == Doorbell.markPort: mark(access, cpu)
    default: break
    }
    exits &+= 1
  }

  private mutating func mark(_ access: PortAccess, _ cpu: borrowing VirtualCPU) {
    guard marks.count < Self.limit else { return }
    let now = try? cpu.statistics()
    let time = ContinuousClock.now - began
    let counts = KernelFigure.Counts(
      writes: writes, exits: exits, kvmExits: now?.growth(of: "exits", since: statisticsBefore),
      interrupts: countsInterrupts ? now?.growth(of: "irq_injections", since: statisticsBefore) : nil)
    var number: UInt32?
    cpu.forEachElement(of: access) { number = number ?? $0 }
    marks.append(BootRecord.Mark(number: number ?? .max, time: time, counts: counts))
  }
}

extension Statistics {
  /// The growth of a counter; nil if either reading lacks it.
  fileprivate func growth(of name: String, since before: Statistics?) -> UInt64? {
    self[name].flatMap { now in before?[name].map { now &- $0 } }
  }
}

extension VendorModule {
  /// Whether KVM's counter `irq_injections` counts every interrupt of a guest.
  ///
  /// It does not where the processor delivers interrupts itself (Linux arch/x86/kvm/vmx/vmx.c, enable_apicv;
  /// arch/x86/kvm/svm/avic.c, avic).
  fileprivate var countsInterrupts: Bool { ![self[parameter: "enable_apicv"], self[parameter: "avic"]].contains("Y") }
}
