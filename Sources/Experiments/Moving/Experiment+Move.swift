// An experiment's guest on the move: it starts here and ends elsewhere, or the other way round.

import GuestImages
public import Hypervisor
public import Migration

extension Experiment {
  /// What became of a guest that was to be moved away.
  public enum Departure: Sendable {
    case moved(MoveReport)
    /// It did not, for this reason (nil when nobody wanted it to), and ran to its end here.
    case stayed(RunRecord, String?)
  }

  /// Runs it from its start, and moves its guest when somebody orders that at the desk.
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
      guard stopped == .paused else { return .stayed(try session.record(stopped), nil) }
      guard let order = desk.takeOrder() else { continue }
      let result = try session.move(order.request, order.destination, kvm, host, control)
      order.answer(result)
      switch result {
      case .moved(let report): return .moved(report)
      case .refused, .failed: continue
      case .ended(let stopped): return .stayed(try session.record(stopped), nil)
      case .unknown(let reason): throw TransferError.unknown(reason)
      }
    }
  }
}

extension PausedExperiment {
  /// Goes on with the guest, and moves it to another host meanwhile.
  ///
  /// It must be allowed to go on here as well, until it has moved.
  ///
  /// - Throws: as `resume` does; `TransferError.ended` when it may not go there: then it was not started;
  ///   `TransferError.unknown` when it was handed over and nobody says what became of it.
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
      return .stayed(try session.record(stopped), "\(error)")
    }
    switch try session.move(request, destination, kvm, host, control) {
    case .moved(let report): return .moved(report)
    case .refused(let reason): throw TransferError.ended("the guest may not move there: \(reason)")
    case .failed(let reason):
      let stopped = try session.run(.nothing, control)
      return .stayed(try session.record(stopped), reason)
    case .ended(let stopped): return .stayed(try session.record(stopped), "it ended before it could be moved")
    case .unknown(let reason): throw TransferError.unknown(reason)
    }
  }

  /// Receives a guest and runs it to its end; `costs` are what `adaptive` weighs here, nil where nobody has measured
  /// it.
  ///
  /// - Throws: `TransferError.nobody` when no whole guest comes, `TransferError.ended` when the source keeps it after
  ///   all, and as `resume` does when this host does not take it; the source is told why.
  public static func receive(
    from connection: consuming Connection, on kvm: borrowing KVM, offering offer: HostOffer,
    costs: AdaptiveCosts? = nil, control: RunControl,
    beforeEntry: () throws -> Void = {}, telling tell: (String) -> Void
  ) throws -> RunRecord {
    // Who only looks whether somebody waits here has gone by now, or says nothing before he goes.
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
      // The source has decided; this host is the one that knows itself, and decides again.
      let terms = guest.accepted(Terms(offer.abilities, adaptiveCosts: costs))
      return try guest.admitted(on: kvm, terms: terms).takeOver(
        from: receiver, on: kvm, terms: terms, control: control, beforeEntry: beforeEntry, telling: tell)
    } catch {
      // Where the guest runs already, nobody listens any more.
      receiver.refuse("\(error)")
      throw error
    }
  }

  /// Takes the guest over from its source, and runs it to its end.
  private func takeOver(
    from receiver: Receiver, on kvm: borrowing KVM, terms: Terms, control: RunControl,
    beforeEntry: () throws -> Void, telling tell: (String) -> Void
  ) throws -> RunRecord {
    let session = try experiment.open(.snapshot(snapshot), on: kvm, terms: terms)
    guard !control.isCancelled else { throw TransferError.ended("stopped on request before the guest was here") }
    // Whatever can fail fails now, while the source still has the guest.
    try beforeEntry()
    try session.prepare(control)
    switch receiver.takeOver(unless: { control.isCancelled }) {
    case .run: tell("the guest of \(snapshot.guest.origin) runs here")
    case .runAlone: tell("the source died when the guest was whole here; it runs here")
    case .forget(let reason):
      session.release(control)
      throw TransferError.ended("the guest is not taken: \(reason)")
    }
    let stopped = try session.run(.nothing, control)
    return try session.record(stopped)
  }
}
