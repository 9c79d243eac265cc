// A thread for work besides a guest: Swift's tasks run on libdispatch's threads, which cannot be bound to a processor.
// Facts: pthread_create(3), pthread_join(3).

import Glibc
package import SystemPackage

/// Owns a running thread; `join()` or `detach()` must be called.
package struct Thread: ~Copyable {
  private let thread: pthread_t

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Starts a thread that runs `body`.
  ///
  /// - Throws: `Errno` when the system has no thread left.
  package init(_ body: @escaping @Sendable () -> Void) throws(Errno) {
    var thread = pthread_t()
    let box = unsafe Unmanaged.passRetained(Body(body))
    // Safe: the thread takes over the one reference; if there is no thread, it is released here.
    let failure = unsafe pthread_create(
      &thread, nil,
      { argument in
        unsafe Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, box.toOpaque())
    guard failure == 0 else {
      unsafe box.release()
      throw Errno(rawValue: failure)
    }
    self.thread = thread
  }

  /// Lets the calling thread sleep; a signal may end that early.
  package static func sleep(for duration: Duration) { usleep(UInt32(duration / .microseconds(1))) }

  /// Lets it run on without being joined.
  package consuming func detach() { pthread_detach(thread) }

  /// Waits for its end.
  package consuming func join() { pthread_join(thread, nil) }
}
