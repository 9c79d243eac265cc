// Ending a run from outside: the order in which begin, cancel, the limit and end may come.

import Glibc
import SystemPackage
import Testing

@testable import Hypervisor

@Suite("A run control")
struct RunControlTests: ~Copyable {
  /// Stands for the kvm_run whose first byte a kick sets.
  private let page: Mapping

  init() throws { page = try Mapping(count: 4096) }

  private var flag: UnsafeMutablePointer<UInt8> {
    // Safe: the page is there as long as the test.
    unsafe page.base.assumingMemoryBound(to: UInt8.self)
  }

  /// Runs the body between `begin` and `end`, as the run loop does.
  @discardableResult
  private func during<R>(_ control: RunControl, _ body: () throws -> R) throws -> R {
    try unsafe control.begin(setting: flag)
    defer { control.end() }
    return try body()
  }

  /// Whether a kick comes within a second, which a thread sees that never enters the kernel.
  private func isKicked() -> Bool {
    let start = ContinuousClock.now
    while ContinuousClock.now - start < .seconds(1) {
      if unsafe flag.pointee == 1 { return true }
    }
    return false
  }

  @Test("kicks the thread that runs when the limit passes and when it is cancelled, and no thread after the end")
  func kicks() throws {
    let limited = RunControl(timeLimit: .milliseconds(5))
    let kicked = try during(limited) { isKicked() }
    #expect(kicked)
    unsafe flag.pointee = 0
    let control = RunControl()
    try during(control) {
      let before = unsafe flag.pointee
      #expect(before == 0)
      control.cancel()
      #expect(isKicked())
    }
    unsafe flag.pointee = 0
    limited.cancel()
    control.cancel()
    let after = unsafe flag.pointee
    #expect(after == 0)
  }

  @Test("without limit and cancel stops nothing")
  func idle() throws {
    let control = RunControl()
    #expect(try during(control) { control.stop } == nil)
    #expect(!control.isCancelled)
  }

  @Test("stops when the limit has passed, and not before")
  func limit() throws {
    for limit in [Duration.seconds(-1), .zero, .nanoseconds(1)] {
      let control = RunControl(timeLimit: limit)
      #expect(control.stop == nil, "no run is under way")
      #expect(try during(control) { control.stop } == .timeLimit)
    }
    let late = RunControl(timeLimit: .seconds(Int64.max / 2))
    #expect(try during(late) { late.stop } == nil)
  }

  @Test("gives each run the whole limit again")
  func limitPerRun() throws {
    let control = RunControl(timeLimit: .milliseconds(200))
    for _ in 0..<3 { #expect(try during(control) { control.stop } == nil) }
  }

  @Test("gives a run that goes on after a pause what was left of its limit, and the next run the whole limit again")
  func limitAcrossPause() throws {
    let control = RunControl(timeLimit: .milliseconds(100))
    try during(control) {
      control.pause()
      #expect(control.stop == .paused)
    }
    usleep(101_000)
    #expect(try during(control) { control.stop } == .timeLimit)
    #expect(try during(control) { control.stop } == nil)
  }

  @Test("that is cancelled stops the run under way and every later one, however often it is cancelled")
  func cancel() throws {
    let control = RunControl()
    try during(control) {
      control.cancel()
      control.cancel()
      #expect(control.stop == .cancelled)
    }
    control.cancel()
    #expect(control.isCancelled)
    #expect(try during(control) { control.stop } == .cancelled)
  }

  @Test("cancelled before its first run stops that")
  func cancelBefore() throws {
    let control = RunControl(timeLimit: .seconds(60))
    control.cancel()
    control.cancel()
    #expect(try during(control) { control.stop } == .cancelled)
  }

  @Test("says cancelled where the limit has passed as well")
  func both() throws {
    let control = RunControl(timeLimit: .zero)
    control.cancel()
    #expect(try during(control) { control.stop } == .cancelled)
  }

  @Test("says that the limit has passed before it says paused, and the pause is gone with that run")
  func limitBeforePause() throws {
    let control = RunControl(timeLimit: .zero)
    control.pause()
    #expect(try during(control) { control.stop } == .timeLimit)
    let later = RunControl(timeLimit: .milliseconds(1))
    try during(later) {
      later.pause()
      usleep(2_000)
      #expect(later.stop == .timeLimit)
    }
    #expect(try during(later) { later.stop } == nil, "a new run, with the whole limit and no pause")
  }

  @Test("does not begin a run whose timer the kernel does not start; a kick needs none")
  func timerThatFails() throws {
    let timer = unsafe try KickTimer(setting: flag)
    timer.remove()
    // The kernel knows it no more (timer_settime(2): EINVAL).
    #expect(throws: KVMError(.arm, .invalidArgument)) { try timer.start(after: .zero) }
    let other = unsafe try KickTimer(setting: flag)
    unsafe flag.pointee = 0
    other.kick()
    #expect(isKicked())
    other.remove()
  }

  @Test("is for one run at a time, and free again after it")
  func oneAtATime() throws {
    let control = RunControl()
    try during(control) {
      #expect(throws: KVMError(.arm, .resourceBusy)) { try unsafe control.begin(setting: flag) }
    }
    try during(control) {}
    control.end()
  }
}
