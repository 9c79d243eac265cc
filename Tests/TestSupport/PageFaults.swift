// How often the host had to find a page for this thread.
// Facts: getrusage(2).

import Glibc

public enum PageFaults {
  /// The page faults of this thread so far that needed no disk; those that KVM has for its guest are among them.
  public static var ofThisThread: Int {
    var usage = rusage()
    // RUSAGE_THREAD, which the C library shows to GNU programs alone. Safe: the structure is this call's own.
    unsafe getrusage(1, &usage)
    return usage.ru_minflt
  }
}
