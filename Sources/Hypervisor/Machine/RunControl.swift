// Ending a run from outside: by a deadline, or from any thread, also while the guest spins without an exit.
//
// Facts: KVM API document, section 4.10 (EINTR); the signal is KickTimer's.

import SystemPackage
import Synchronization

/// Ends runs from outside; may be shared by several runs, which then share the time limit and the cancel.
public final class RunControl: Sendable {
  /// Why a run should stop.
  public enum Stop: String, Codable, Sendable {
    /// The time limit has passed.
    case timeLimit
    /// `cancel()` was called.
    case cancelled
    /// `pause()` was called: the guest can continue, here or elsewhere.
    case paused
  }

  private struct Shared {
    var timer: KickTimer?
    /// Whether `prepare` has begun the next run already.
    var isPrepared = false
    /// The deadline of the current run, or of a paused one.
    var deadline: ContinuousClock.Instant?
    var isCancelled = false
    var isPauseWanted = false
    var isPaused = false

    var shouldStop: Bool { isCancelled || isPauseWanted }

    /// Makes the current run read `stop`.
    func kick(after delay: Duration = .zero) {
      // Without the timer it reads it too early, which is better than never.
      do { try timer?.start(after: delay) } catch { timer?.kick() }
    }
  }

  private let shared = Mutex(Shared())
  private let timeLimit: Duration?

  /// A control whose runs each may take `timeLimit`, or any time if it is nil.
  ///
  /// A run that continues after a pause is the same run.
  public init(timeLimit: Duration? = nil) { self.timeLimit = timeLimit }

  /// Ends the current run and every later one; callable from any thread, any number of times.
  public func cancel() {
    shared.withLock { shared in
      shared.isCancelled = true
      shared.kick()
    }
  }

  /// Stops the current run, or else the next one, once; callable from any thread.
  public func pause() { pause(after: .zero) }

  @usableFromInline func pause(after delay: Duration) {
    shared.withLock { shared in
      shared.isPauseWanted = true
      shared.kick(after: delay)
    }
  }

  /// Discards a pause that has not stopped a run yet.
  public func discardPause() { shared.withLock { $0.isPauseWanted = false } }

  /// Whether `cancel()` was called.
  public var isCancelled: Bool { shared.withLock { $0.isCancelled } }

  /// Whether the current run is to stop, for code that waits outside of KVM_RUN: the same signal interrupts that wait.
  public var isDue: Bool {
    shared.withLock { $0.shouldStop || $0.deadline.map { ContinuousClock.now >= $0 } ?? false }
  }

  /// Why the current run should stop, nil if it may continue; read after each interrupted KVM_RUN.
  @usableFromInline var stop: Stop? {
    shared.withLock { shared in
      if shared.isCancelled { return .cancelled }
      // Before the pause, which may be repeated: no guest can postpone its deadline by that.
      if let deadline = shared.deadline, ContinuousClock.now >= deadline {
        (shared.isPauseWanted, shared.isPaused) = (false, false)
        return .timeLimit
      }
      if shared.isPauseWanted {
        shared.isPauseWanted = false
        shared.isPaused = true
        return .paused
      }
      return nil
    }
  }

  /// Begins this thread's next run early, so that it cannot fail to begin; its time starts here.
  ///
  /// The run must follow, or `end()`.
  ///
  /// - Throws: What `begin` throws.
  func prepare(setting immediateExit: UnsafeMutablePointer<UInt8>) throws(KVMError) {
    unsafe try begin(setting: immediateExit)
    shared.withLock { $0.isPrepared = true }
  }

  /// Begins a run on this thread: from now on the limit and a cancel interrupt its KVM_RUN and set `immediateExit`.
  ///
  /// `end()` must follow while `immediateExit` still exists.
  ///
  /// - Throws: `KVMError` when the kernel has no timer left or does not start it, or another run uses this control now.
  @usableFromInline func begin(setting immediateExit: UnsafeMutablePointer<UInt8>) throws(KVMError) {
    try shared.withLock { shared throws(KVMError) in
      if shared.isPrepared {
        shared.isPrepared = false
        return
      }
      guard shared.timer == nil else { throw KVMError(.arm, .resourceBusy) }
      let timer = unsafe try KickTimer(setting: immediateExit)
      let now = ContinuousClock.now
      let deadline = shared.isPaused ? shared.deadline : timeLimit.map { now + $0 }
      do throws(KVMError) {
        if shared.shouldStop {
          try timer.start(after: .zero)
        } else if let deadline {
          try timer.start(after: deadline - now)
        }
      } catch {
        timer.remove()
        throw error
      }
      shared.deadline = deadline
      shared.isPaused = false
      shared.timer = timer
    }
  }

  /// Ends what `begin()` began, on the same thread.
  @usableFromInline func end() {
    shared.withLock { shared in
      shared.timer?.remove()
      shared.timer = nil
      shared.isPrepared = false
      if !shared.isPaused { shared.deadline = nil }
    }
  }
}
