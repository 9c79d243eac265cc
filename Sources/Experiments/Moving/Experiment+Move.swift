// Moves an experiment's guest away from this host, and receives one from another.

import GuestImages
public import Hypervisor
public import Migration

extension Experiment {
  /// The result of running a guest that may move away.
  public enum Departure: Sendable {
    case moved(MoveReport)
    /// The guest ran to its end here, for this reason (nil when no move was requested).
    case stayed(RunRecord, String?)
  }

  /// Runs it from its start, and moves its guest when a move is requested at the desk.
  ///
  /// - Throws: What `run` does, and `TransferError.unknown` as `move` does.
  public func run(
    on kvm: borrowing KVM, terms: Terms, movingAt desk: MoveDesk, control: RunControl
  ) throws -> Departure {
    let image = try makeImage()
    try check(on: kvm, terms: terms)
    let session = try open(.image(image), on: kvm, terms: terms)
    let host = try HostOffer.prove(on: kvm, abilities: terms.abilities)
    while true {
      let stopped = try session.run(.nothing, control)
      guard stopped == .paused else { return .stayed(try session.record(stopped, nil), nil) }
      guard let order = desk.takeOrder() else { continue }
      let result = try session.move(order.request, order.destination, kvm, host, control)
      order.answer(result)
      switch result {
      case .moved(let report): return .moved(report)
      case .refused, .failed: continue
      case .ended(let stopped): return .stayed(try session.record(stopped, nil), nil)
      case .unknown(let reason): throw TransferError.unknown(reason)
      }
    }
  }
}

extension PausedExperiment {
  /// Continues the guest, and moves it to another host meanwhile.
  ///
  /// It must be allowed to run here too, until it has moved.
  ///
  /// - Throws: What `resume` throws; `TransferError.ended` when it may not go there, in which case it was not started;
  ///   `TransferError.unknown` when it was handed over and the destination does not answer.
  public func move(
    _ request: MoveRequest, on kvm: borrowing KVM, terms: Terms, control: RunControl,
    beforeEntry: () throws -> Void = {}
  ) throws -> Experiment.Departure {
    let guest = try admitted(on: kvm, terms: terms)
    let session = try experiment.open(.snapshot(guest.snapshot), on: kvm, terms: guest.accepted(terms))
    let host = try HostOffer.prove(on: kvm, abilities: terms.abilities)
    let found = Swift.Result { try Destination(request, unless: { control.isCancelled }) }
    try beforeEntry()
    let destination: Destination
    do { destination = try found.get() } catch {
      let stopped = try session.run(.nothing, control)
      return .stayed(try session.record(stopped, nil), "\(error)")
    }
    switch try session.move(request, destination, kvm, host, control) {
    case .moved(let report): return .moved(report)
    case .refused(let reason): throw TransferError.ended("the guest may not move there: \(reason)")
    case .failed(let reason):
      let stopped = try session.run(.nothing, control)
      return .stayed(try session.record(stopped, nil), reason)
    case .ended(let stopped): return .stayed(try session.record(stopped, nil), "it ended before it could be moved")
    case .unknown(let reason): throw TransferError.unknown(reason)
    }
  }

  /// Receives a guest and runs it to its end.
  ///
  /// - Parameters:
  ///   - costs: the costs for `adaptive` on this host; nil where they were not measured.
  ///   - notify: receives messages about the progress.
  /// - Throws: `TransferError.nobody` when no whole guest comes; `TransferError.ended` when the source keeps it after
  ///   all; and what `resume` throws when this host does not take it, which the source is told.
  public static func receive(
    from connection: consuming Connection, on kvm: borrowing KVM, offering offer: HostOffer,
    costs: AdaptiveCosts? = nil, control: RunControl,
    beforeEntry: () throws -> Void = {}, notifying notify: (String) -> Void
  ) throws -> RunRecord {
    // A peer that only checks whether this host waits closes the connection without a message.
    let receiver: Receiver
    do {
      receiver = try Receiver(connection, offering: offer, unless: { control.isCancelled })
    } catch { throw error.beforeAnything }
    let snapshot: ExperimentSnapshot
    do throws(TransferError) {
      snapshot = try receiver.receive(
        as: ExperimentState.self, refusing: ExperimentState.refusal(ofMemory:), unless: { control.isCancelled })
    } catch {
      receiver.refuse("\(error)")
      throw error.beforeAnything
    }
    do {
      let guest = try PausedExperiment(snapshot)
      // The source has decided already. This host decides again, because it knows itself better.
      let terms = guest.accepted(Terms(offer.abilities, adaptiveCosts: costs))
      return try guest.admitted(on: kvm, terms: terms).takeOver(
        from: receiver, on: kvm, terms: terms, control: control, beforeEntry: beforeEntry, notifying: notify)
    } catch {
      // Has no effect where the guest runs already.
      receiver.refuse("\(error)")
      throw error
    }
  }

  /// Takes the guest over from its source, and runs it to its end.
  private func takeOver(
    from receiver: Receiver, on kvm: borrowing KVM, terms: Terms, control: RunControl,
    beforeEntry: () throws -> Void, notifying notify: (String) -> Void
  ) throws -> RunRecord {
    let session = try experiment.open(.snapshot(snapshot), on: kvm, terms: terms)
    guard !control.isCancelled else { throw TransferError.ended("stopped on request before the guest was here") }
    // Everything that can fail is done now, while the source still has the guest.
    try beforeEntry()
    try session.prepare(control)
    switch receiver.takeOver(unless: { control.isCancelled }) {
    case .run: notify("the guest of \(snapshot.guest.origin) runs here")
    case .runAlone: notify("the source died when the guest was whole here; it runs here")
    case .forget(let reason):
      session.release(control)
      throw TransferError.ended("the guest is not taken: \(reason)")
    }
    let stopped = try session.run(.nothing, control)
    return try session.record(stopped, nil)
  }
}
