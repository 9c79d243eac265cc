// What the calling thread has had of its processor: two readings show for how long it was kept from running in between.
//
// Facts: clock_gettime(2): CLOCK_MONOTONIC; CLOCK_THREAD_CPUTIME_ID, in which the time of a guest is that of its
// thread. getrusage(2): RUSAGE_THREAD, ru_nivcsw.

import Glibc

/// A reading of the calling thread's times.
public struct ThreadTime: Hashable, Sendable {
  /// The time that has passed for everybody.
  public let elapsed: Duration
  /// The time in which the thread ran, its guest's included.
  public let running: Duration
  /// How often it was taken off its processor while it wanted to run on.
  public let preemptions: UInt64

  /// RUSAGE_THREAD, which the importer does not see.
  private static let usageOfThread: CInt = 1

  /// Reads the times of the calling thread.
  public static func now() -> ThreadTime {
    var usage = rusage()
    // Safe: the structure is this call's own.
    _ = unsafe getrusage(__rusage_who_t(usageOfThread), &usage)
    return ThreadTime(
      elapsed: time(of: CLOCK_MONOTONIC), running: time(of: CLOCK_THREAD_CPUTIME_ID),
      preemptions: UInt64(max(0, usage.ru_nivcsw)))
  }

  private static func time(of clock: clockid_t) -> Duration {
    var time = timespec()
    // Safe: the structure is this call's own; both clocks are there on every Linux.
    _ = unsafe clock_gettime(clock, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
