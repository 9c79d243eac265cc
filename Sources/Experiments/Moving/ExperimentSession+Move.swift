// The source's side of a move: the decision, copying beside the running guest, the hand-over.

import Hypervisor
import Measurement
public import Migration
import Synchronization

extension ExperimentSession where P: ~Copyable {
  /// Moves the guest to another host while it runs.
  ///
  /// - Throws: What running the guest throws. A failure of the move itself is a result; the guest is then still here.
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
    let pausedByCopying = copying.hasPaused
    copying.cancel()
    thread.join()
    control.discardPause()
    guard stopped == .paused else {
      copying.sender.abort(
        "the guest \(stopped == nil ? "ended" : "was stopped") at the source before it could be moved")
      return .ended(stopped)
    }
    guard pausedByCopying else {
      let text = "the guest stopped for a pause that nobody ordered"
      copying.sender.abort(text)
      throw ExperimentError.mailbox(text)
    }
    if let failure = copying.failure {
      copying.sender.abort(failure)
      return .failed(failure)
    }
    return handOver(copying, request, to: destination, on: kvm, from: host, stoppedAt: began, control)
  }

  /// Allocates everything that running the guest needs: its memory, and the machine's resources.
  ///
  /// The run or the machine's `release` must follow on this thread.
  ///
  /// - Throws: `KVMError` or `GuestMemoryError` when something is not available.
  mutating func prepare(for control: RunControl) throws {
    // A page of zeroes is allocated when it is written to.
    for address in machine.vm.memory().flatMap(\.pageAddresses) {
      try machine.vm.write(try machine.vm.read(1, at: address), at: address)
    }
    try machine.prepare(for: control)
  }

  /// The decision about a move by the guest's present state.
  private func terms(of request: MoveRequest, at offer: HostOffer, from host: HostOffer) throws -> MoveTerms {
    try MoveTerms(of: try movingGuest(from: host), at: offer, request, accepted: terms.acceptsUnprotected)
  }

  /// Copies the rest of a stopped guest, after deciding again: what it has written to the register meanwhile may change
  /// the decision.
  private mutating func handOver(
    _ copying: Copying, _ request: MoveRequest, to destination: Destination, on kvm: borrowing KVM,
    from host: HostOffer,
    stoppedAt began: ContinuousClock.Instant, _ control: RunControl
  ) -> MoveResult {
    let deadline = began + request.limits.downTime
    let isCancelled = { control.isCancelled }
    /// The reason of a failure, which may be that the time was up.
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

/// The decision about a move.
private struct MoveTerms {
  let destination: String
  let policy: PolicyName
  /// Why the guest may not go; nil when it may.
  private(set) var refusal: String?
  /// What the guest loses, and what it will notice.
  let warnings: [String]

  /// - Parameter accepted: whether the user accepted a loss for this guest before.
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
  /// The warning in every later output of a guest that was moved against advice.
  public static func warning(_ reason: String) -> String { "moved with --accept-unprotected although \(reason)" }

  /// The reason with the advice how to accept it.
  public static func advice(_ reason: String) -> String { "\(reason); pass --accept-unprotected to continue" }
}

/// Copies memory in a separate thread.
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

  /// Copies until little is left, then pauses the guest.
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

  /// Whether copying has ended and paused the guest.
  var hasPaused: Bool { paused.load(ordering: .sequentiallyConsistent) }

  /// Why copying failed; nil when it did not.
  var failure: String? { failed.withLock { $0 } }

  func finish(by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool) throws -> Int {
    try copy.withLock { try $0.finish(to: sender, by: deadline, unless: isCancelled) }
  }
  var rounds: [PreCopy.Round] { copy.withLock { $0.rounds } }
  var expectedDownTime: Duration { copy.withLock { $0.expectedDownTime } }
}
