// Signals that mean nothing to a run: a timer sends this thread one after the other, and the handler does nothing.

import CHost
import Glibc
import Hypervisor
import SystemPackage

/// Sends SIGUSR1 to the thread that made it, again and again until `end()` is called on that thread.
@safe struct SignalStorm {
  private let timer: timer_t?
  private let signalMask: sigset_t

  init(every interval: Duration) throws {
    var action = sigaction()
    // Safe: the handler touches nothing; without SA_RESTART it interrupts KVM_RUN.
    unsafe action.__sigaction_handler.sa_handler = { _ in }
    unsafe sigaction(SIGUSR1, &action, nil)
    // Safe: the event names this thread and carries no pointer; every call gets a structure of its own.
    var event = unsafe sigevent()
    unsafe event.sigev_notify = CInt(SIGEV_THREAD_ID)
    unsafe event.sigev_signo = SIGUSR1
    unsafe event._sigev_un._tid = chost_gettid()
    var made: timer_t?
    guard unsafe timer_create(CLOCK_MONOTONIC, &event, &made) == 0 else { throw Errno(rawValue: errno) }
    unsafe timer = made
    var wanted = sigset_t()
    var before = sigset_t()
    unsafe sigemptyset(&wanted)
    unsafe sigaddset(&wanted, SIGUSR1)
    unsafe pthread_sigmask(SIG_UNBLOCK, &wanted, &before)
    signalMask = before
    let step = timespec(tv_sec: 0, tv_nsec: Int(interval.components.attoseconds / 1_000_000_000))
    var setting = itimerspec(it_interval: step, it_value: step)
    unsafe timer_settime(timer, 0, &setting, nil)
  }

  func end() {
    // Safe: the timer exists until here.
    unsafe timer_delete(timer)
    var mask = signalMask
    unsafe pthread_sigmask(SIG_SETMASK, &mask, nil)
  }
}
