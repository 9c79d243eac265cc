// A guest in its machine: prepared, so that all that can be refused is refused before it runs; then run to its end.

import CKVM
import Devices
import Experiments
public import Hypervisor
import Images

/// A guest that is ready to begin, and can go on where it was stopped.
///
/// A closure, not a generic class: only so is its run loop specialised for the policy.
public struct BootedGuest {
  fileprivate let body: (RunControl) throws -> BootRecord

  /// Runs the guest to its end; one that was stopped goes on, and Spectrap's own first process measures once more each
  /// time that it was done.
  ///
  /// How it ended is in the record, whatever it was. The record's times, marks and figures are those of this run, its
  /// counts of exits those of all.
  ///
  /// - Throws: `KVMError` when the run cannot begin.
  public func run(control: RunControl) throws -> BootRecord { try body(control) }
}

extension BootOrder {
  /// Makes the machine and puts the guest into it.
  ///
  /// `line` is the other end of its serial port; `attach` is given the input of that port at the interrupt controllers.
  ///
  /// - Throws: `BootError` when the image cannot be booted here, `PolicyError.refused` when the host cannot honour the
  ///   policy, `GuestFileError` when a file cannot be read, and what making a machine throws.
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

  /// What the guest is told: the policy's word or the contract's, as a PC of one processor, without what is hidden.
  fileprivate func requestedContract(on kvm: borrowing KVM, terms: Terms, offer: GuestContract) throws
    -> GuestContract
  {
    var told = contract ?? policy.contract(from: offer, on: terms)
    told.cpuid = told.cpuid.ofOneProcessor(hasDeadlineTimer: try kvm.has(.tscDeadlineTimer))
    for bit in hidden { bit.hide(in: &told) }
    return told
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
        interrupts: order.hasTimer ? .controllersAndTimer : .controllers, countsUnservedMSRs: true))
    // Asked of the policy as it has settled on its terms.
    let interception: RunRecord.Interception =
      machine.currentPolicy.intercepts.isEmpty ? .never : machine.currentPolicy.changesIntercepts ? .atTimes : .always
    let barrierRefusal = LinuxSupport.barrierRefusal(told: machine.contract, offered: offer.cpuid)
    if order.dropsBarriers, barrierRefusal == nil {
      throw BootError.refused(
        name: order.name,
        "--drop-pred-cmd is for hosts without IBPB whose guest is told SPEC_CTRL, and here no write would be dropped")
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

  /// Keeps a machine where closures reach it.
  private final class Box<P: Policy & ~Copyable> {
    var machine: BootedMachine<P>
    init(_ machine: consuming BootedMachine<P>) { self.machine = machine }
  }
}

/// A guest, and the input of its serial port at the interrupt controllers.
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
      // By custom, a multiboot image's own name comes first.
      case .multiboot: order.commandLine.isEmpty ? order.name : "\(order.name) \(order.commandLine)"
      case .bzImage, .elf64, .flat: order.commandLine
      }
    let plan: BootPlan
    do throws(ImageError) {
      plan = try BootPlan(
        image, memory: order.memory, commandLine: Array(commandLine.utf8), initrd: initrd?.count, by: order.entry)
    } catch { throw BootError.image(name: order.name, error) }
    try machine.load(plan, of: file, initrd: initrd, memory: order.memory)
    let interrupt = try machine.vm.interruptLine(Serial8250.interrupt)
    // From here on nothing fails: a value that is not copied is made whole or not at all.
    pc = PC(memory: order.memory, line: line, interrupt: interrupt)
    self.usesOwnProcess = usesOwnProcess
    self.interception = interception
    self.commandLine = commandLine
    self.order = order
    self.image = image
    self.machine = machine
  }

  func interruptLine() throws(KVMError) -> InterruptLine { try machine.vm.interruptLine(Serial8250.interrupt) }

  mutating func run(control: RunControl) throws -> BootRecord {
    pc.goOn()
    // A count that cannot be read is none: the VMM's own stands beside it.
    let before = try? machine.vcpu.statistics()
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
    let kvmExits = (try? machine.vcpu.statistics())?.growth(of: "exits", since: before)
    let signals = machine.counters.interruptions &- interruptions
    // The last interruption of a run that was stopped was ordered.
    var ordered: UInt64 = 0
    if case .stopped = end { ordered = 1 }
    let text = String(decoding: pc.doorbell.text, as: UTF8.self).split(whereSeparator: \.isNewline).first
    return BootRecord(
      order: order, format: image.format, isLinux: image.isLinux, commandLine: commandLine,
      protection: machine.protection.given(machine.contract, about: order.subject), told: machine.contract, end: end,
      counters: machine.counters, kvmExits: kvmExits, interception: interception,
      signals: signals > ordered ? signals - ordered : 0, subjectAtEnd: try? machine.subjectValue(),
      tally: machine.currentPolicy.tally,
      droppedBarriers: machine.currentPolicy.droppedBarriers, duration: duration, marks: observer.marks,
      mitigation: usesOwnProcess ? text.map(String.init) : nil,
      figures: usesOwnProcess ? KernelFigure.figures(in: pc.doorbell.data, observer.marks) : [],
      lastLines: lastLines(of: end))
  }

  /// The last lines of the serial port; of a panic, those that say why.
  private func lastLines(of end: BootRecord.End) -> [String] {
    if case .panic = end { return pc.tail.lines(12, from: Self.panic) }
    return pc.tail.lines(12)
  }

  private static var panic: String { "Kernel panic" }

  /// How a guest ended that the run loop stopped for.
  private var portEnd: BootRecord.End {
    switch pc.end {
    case .status(let value): .status(value)
    case .done: .done
    case .reset: .reset
    case nil: .halted
    }
  }

  /// How a guest ended whose run failed.
  private func end(of error: RunError) throws -> BootRecord.End {
    switch error {
    case .tripleFault(let state):
      // Linux resets a machine that has no other way by a triple fault, after a panic too.
      if image.isLinux, pc.tail.contains(Self.panic) { return .panic }
      return image.isLinux && pc.tail.contains("reboot: ") ? .powerOff : .tripleFault(state)
    case .unanswered(.systemEvent, _): return .powerOff
    case .kvm(let error): throw error
    default: return .failed(error)
    }
  }
}

/// Keeps the counts at the points that a guest is built to pass.
private struct MarkObserver: ExitObserver {
  /// At most this many points are kept: a guest may pass any number.
  private static let limit = 64

  // What each exit touches stands first: the place of a field behind an instant, whose size only the runtime knows, is
  // looked up at each access.
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
  /// By how much a counter grew; nil where it was not told both times.
  fileprivate func growth(of name: String, since before: Statistics?) -> UInt64? {
    self[name].flatMap { now in before?[name].map { now &- $0 } }
  }
}

extension VendorModule {
  /// Whether KVM's counter `irq_injections` has every interrupt of a guest: not where the processor delivers interrupts
  /// by itself (Linux arch/x86/kvm/vmx/vmx.c, enable_apicv; arch/x86/kvm/svm/avic.c, avic).
  fileprivate var countsInterrupts: Bool { ![self[parameter: "enable_apicv"], self[parameter: "avic"]].contains("Y") }
}
