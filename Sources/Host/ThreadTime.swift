// The calling thread's running time: two readings show for how long it was kept from running in between.
//
// Facts: clock_gettime(2): CLOCK_MONOTONIC; CLOCK_THREAD_CPUTIME_ID, in which the time of a guest is that of its
// thread. getrusage(2): RUSAGE_THREAD, ru_nivcsw.

import Glibc

/// A reading of the calling thread's times.
public struct ThreadTime: Hashable, Sendable {
  /// The time that has passed.
  public let elapsed: Duration
  /// The time in which the thread ran, including its guest.
  public let running: Duration
  /// How often it was preempted.
  public let preemptions: UInt64

  /// RUSAGE_THREAD, which is not imported.
  private static let usageOfThread: CInt = 1

  /// Reads the times of the calling thread.
  public static func now() -> ThreadTime {
    var usage = rusage()
    // Safe: the structure is a local variable.
    _ = unsafe getrusage(__rusage_who_t(usageOfThread), &usage)
    return ThreadTime(
      elapsed: time(of: CLOCK_MONOTONIC), running: time(of: CLOCK_THREAD_CPUTIME_ID),
      preemptions: UInt64(max(0, usage.ru_nivcsw)))
  }

  private static func time(of clock: clockid_t) -> Duration {
    var time = timespec()
    // Safe: the structure is a local variable; both clocks exist on every Linux.
    _ = unsafe clock_gettime(clock, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
