// Ctrl-C: a thread of its own waits for it and cancels the run, so that what was measured so far is still reported. SIGUSR1 pauses a
// guest that is to be kept in a file.
// Facts: sigwait(3), pthread_sigmask(3).

import Glibc
import Hypervisor

enum Interrupt {
  /// From now on SIGINT and SIGTERM cancel `control`; a second one ends the program at once.
  ///
  /// SIGUSR1 pauses it, where wanted.
  static func cancels(_ control: RunControl, pausing: Bool = false) {
    var signals = sigset_t()
    // Safe: each call gets a structure of its own. The mask is set before the thread starts, which inherits it.
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGINT)
    unsafe sigaddset(&signals, SIGTERM)
    if pausing { unsafe sigaddset(&signals, SIGUSR1) }
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)

    let waiter = Waiter(signals: signals, control: control)
    var thread = pthread_t()
    // Safe: the thread takes over the reference that is passed to it.
    unsafe pthread_create(
      &thread, nil,
      { unsafe Unmanaged<Waiter>.fromOpaque($0!).takeRetainedValue().run() },
      Unmanaged.passRetained(waiter).toOpaque())
    pthread_detach(thread)
  }

  private final class Waiter: Sendable {
    let signals: sigset_t
    let control: RunControl

    init(signals: sigset_t, control: RunControl) {
      self.signals = signals
      self.control = control
    }

    func run() -> UnsafeMutableRawPointer? {
      var signals = signals
      var received: CInt = 0
      // Safe: both structures are this call's own.
      while true {
        unsafe sigwait(&signals, &received)
        if received == SIGUSR1 {
          control.pause()
        } else if control.isCancelled {
          _exit(128 + received)
        } else {
          control.cancel()
        }
      }
    }
  }
}
