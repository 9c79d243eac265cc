// The source's part: the decision, the copying beside the running guest, the hand-over.

import Hypervisor
import Measurement
public import Migration
import Synchronization

extension ExperimentSession where P: ~Copyable {
  /// Moves the guest, which runs on meanwhile, to another host.
  ///
  /// - Throws: What running the guest throws; whatever goes wrong with the move itself is a result, and the guest is
  ///   still here.
  mutating func move(
    _ request: MoveRequest, to destination: Destination, on kvm: borrowing KVM, from host: HostOffer,
    control: RunControl
  ) throws -> MoveResult {
    let sender = destination.sender
    let copying: Copying
    do {
      let terms = try terms(of: request, at: destination.offer, from: host)
      if let reason = terms.refusal {
        sender.abort("the source's decision: \(reason)")
        return .refused(reason)
      }
      try sender.propose(memory: machine.vm.memory(), unless: { control.isCancelled })
      try machine.vm.setDirtyLog(true)
      copying = Copying(
        PreCopy(of: try machine.vm.makeMemoryView()), to: sender, memory: machine.vm.memory(), limits: request.limits)
    } catch {
      sender.abort("the source keeps the guest: \(error)")
      try? machine.vm.setDirtyLog(false)
      return .failed("\(error)")
    }
    defer { try? machine.vm.setDirtyLog(false) }

    let thread: Thread
    do { thread = try Thread { copying.run(then: control.pause) } } catch {
      sender.abort("the source keeps the guest: \(error)")
      return .failed("no thread: \(error)")
    }
    let stopped: RunControl.Stop?
    do { stopped = try run(observing: .nothing, control: control) } catch {
      copying.cancel()
      thread.join()
      copying.sender.abort("the guest failed at the source: \(error)")
      throw error
    }
    let began = ContinuousClock.now
    let wasOrdered = copying.hasPaused
    copying.cancel()
    thread.join()
    control.discardPause()
    guard stopped == .paused else {
      copying.sender.abort(
        "the guest \(stopped == nil ? "ended" : "was stopped") at the source before it could be moved")
      return .ended(stopped)
    }
    guard wasOrdered else {
      let said = "the guest stopped for a pause that nobody ordered"
      copying.sender.abort(said)
      throw ExperimentError.mailbox(said)
    }
    if let failure = copying.failure {
      copying.sender.abort(failure)
      return .failed(failure)
    }
    return handOver(copying, request, to: destination, on: kvm, from: host, stoppedAt: began, control)
  }

  /// Takes all that running the guest needs: its memory, and what the machine needs of the system.
  ///
  /// The run must follow on this thread, or the machine's `release`.
  ///
  /// - Throws: `KVMError` or `GuestMemoryError` where something is not to be had.
  mutating func prepare(for control: RunControl) throws {
    // Pages that are still all zeroes are there once something is written to them.
    for address in machine.vm.memory().flatMap(\.pageAddresses) {
      try machine.vm.write(try machine.vm.read(1, at: address), at: address)
    }
    try machine.prepare(for: control)
  }

  /// What is decided about a move by the guest as it stands.
  private func terms(of request: MoveRequest, at offer: HostOffer, from host: HostOffer) throws -> MoveTerms {
    try MoveTerms(of: try movingGuest(from: host), at: offer, request, accepted: terms.acceptsUnprotected)
  }

  /// Copies the rest of a guest that has stopped.
  ///
  /// What it has written to the register meanwhile may change the decision.
  private mutating func handOver(
    _ copying: Copying, _ request: MoveRequest, to destination: Destination, on kvm: borrowing KVM,
    from host: HostOffer,
    stoppedAt began: ContinuousClock.Instant, _ control: RunControl
  ) -> MoveResult {
    let deadline = began + request.limits.downTime
    let isCancelled = { control.isCancelled }
    /// A failure, which may be no more than that the time was up.
    func late(_ reason: String) -> String {
      guard ContinuousClock.now >= deadline else { return reason }
      let limit = Int(request.limits.downTime / .milliseconds(1))
      return "stopping it took longer than the \(limit) ms of --down-time (\(reason))"
    }
    do {
      let terms = try terms(of: request, at: destination.offer, from: host)
      if let reason = terms.refusal {
        copying.sender.abort("the source's decision: \(reason)")
        return .failed("the guest may not move there any more: \(reason)")
      }
      let expected = copying.expectedDownTime
      let lastPages = try copying.finish(by: deadline, unless: isCancelled)
      var guest = try portableGuest(
        on: kvm, from: host, origin: host.name, accepting: request.acceptsUnprotected)
      guest.policy = terms.policy.rawValue
      if terms.policy != experiment.policy { guest.machine.policyState = nil }
      for warning in terms.warnings { guest.warn(warning) }
      switch copying.sender.handOver(guest, by: deadline, unless: isCancelled) {
      case .kept(let reason): return .failed(late(reason))
      case .unknown(let reason): return .unknown(reason)
      case .moved:
        return .moved(
          MoveReport(
            destination: terms.destination, warnings: guest.warnings, rounds: copying.rounds,
            expectedDownTime: expected, lastPages: lastPages, downTime: .now - began))
      }
    } catch {
      copying.sender.abort("\(error)")
      return .failed(late("\(error)"))
    }
  }
}

/// What was decided about a move.
private struct MoveTerms {
  let destination: String
  let policy: PolicyName
  /// Why the guest may not go, nil when it may.
  private(set) var refusal: String?
  /// What is given up by going, and what the guest will notice.
  let warnings: [String]

  /// `accepted` is whether that was accepted for it before.
  init(of guest: MovingGuest, at offer: HostOffer, _ request: MoveRequest, accepted: Bool) throws {
    destination = offer.name
    policy = request.policy ?? guest.policy
    var warnings = Decision.warnings(of: guest, at: offer)
    switch Decision(of: guest, to: offer, under: policy, accepting: request.acceptsUnprotected || accepted) {
    case .allowed: break
    case .refused(let reason): refusal = reason
    case .unprotected(let reason):
      if request.acceptsUnprotected {
        warnings.append(Decision.warning(reason))
      } else {
        refusal = Decision.advice(reason)
      }
    }
    self.warnings = warnings
  }
}

extension Decision {
  /// What is said with every later output of a guest that went on against advice.
  public static func warning(_ reason: String) -> String { "moved with --accept-unprotected although \(reason)" }

  /// What is said when nobody has accepted that.
  public static func advice(_ reason: String) -> String { "\(reason); pass --accept-unprotected to continue" }
}

/// The copying of memory in a thread of its own.
private final class Copying: Sendable {
  let sender: Sender
  private let copy: Mutex<PreCopy>
  private let failed = Mutex<String?>(nil)
  private let isCancelled = Atomic(false)
  private let paused = Atomic(false)
  private let memory: [GuestPhysicalRange]
  private let limits: PreCopyLimits

  init(
    _ copy: consuming sending PreCopy, to sender: Sender, memory: [GuestPhysicalRange], limits: PreCopyLimits
  ) {
    self.sender = sender
    self.copy = Mutex(copy)
    self.memory = memory
    self.limits = limits
  }

  /// Copies until little is left, and then pauses the guest.
  func run(then pause: () -> Void) {
    do {
      try copy.withLock { copy in
        try copy.copy(to: sender, memory: memory, limits: limits) { isCancelled.load(ordering: .relaxed) }
      }
    } catch { failed.withLock { $0 = "copying while the guest ran: \(error)" } }
    paused.store(true, ordering: .sequentiallyConsistent)
    pause()
  }

  func cancel() { isCancelled.store(true, ordering: .relaxed) }

  /// Whether it has come to its end, and paused the guest.
  var hasPaused: Bool { paused.load(ordering: .sequentiallyConsistent) }

  /// Why it did not come to its end, nil when it did.
  var failure: String? { failed.withLock { $0 } }

  func finish(by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool) throws -> Int {
    try copy.withLock { try $0.finish(to: sender, by: deadline, unless: isCancelled) }
  }
  var rounds: [PreCopy.Round] { copy.withLock { $0.rounds } }
  var expectedDownTime: Duration { copy.withLock { $0.expectedDownTime } }
}
