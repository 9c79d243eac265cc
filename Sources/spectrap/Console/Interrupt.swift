// Ctrl-C: a separate thread waits for it and cancels the run, so that partial results are still reported.
// SIGUSR1 pauses a guest that is to be kept in a file.
// Facts: sigwait(3), pthread_sigmask(3), signal(7): a signal to the process goes to any thread that lets it through.

import Glibc
import Host
import Hypervisor
import SystemPackage

enum Interrupt {
  /// From now on SIGINT and SIGTERM cancel `control`; a second one ends the program at once.
  ///
  /// With `pausing`, SIGUSR1 pauses it.
  ///
  /// - Throws: `Failure` when the system has no thread left to wait for the signals; they then keep their old effect.
  static func cancels(_ control: RunControl, pausing: Bool = false) throws {
    var (signals, before) = (sigset_t(), sigset_t())
    // Safe: each call gets structures of its own. The mask is set before the thread starts, which inherits it.
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGINT)
    unsafe sigaddset(&signals, SIGTERM)
    if pausing { unsafe sigaddset(&signals, SIGUSR1) }
    unsafe pthread_sigmask(SIG_BLOCK, &signals, &before)

    let waiter = Waiter(signals: signals, control: control)
    do throws(Errno) { try Thread { waiter.run() }.detach() } catch {
      unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
      throw Failure(
        status: .osError,
        message: "no thread can be made to wait for Ctrl-C: \(error); end other programs, or raise the limit of this "
          + "user or control group (ulimit -u, pids.max)")
    }
  }

  private final class Waiter: Sendable {
    let signals: sigset_t
    let control: RunControl

    init(signals: sigset_t, control: RunControl) {
      self.signals = signals
      self.control = control
    }

    func run() {
      var signals = signals
      while true {
        var received: CInt = 0
        // Safe: both structures are this call's own.
        switch unsafe sigwait(&signals, &received) {
        case 0: receive(received)
        case EINTR: continue
        default:
          // Waiting failed, so the signals end the program again: this thread lets them through.
          unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
          // Not pause(2), which the sandbox does not allow.
          while true { _ = poll(nil, 0, -1) }
        }
      }
    }

    private func receive(_ signal: CInt) {
      if signal == SIGUSR1 {
        control.pause()
      } else if control.isCancelled {
        _exit(128 + signal)
      } else {
        control.cancel()
      }
    }
  }
}
