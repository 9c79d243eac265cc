// The signal that makes KVM_RUN return, and the timer that sends it.
//
// A signal alone ends a KVM_RUN that is running, and is lost on a thread that is outside. So the handler also sets
// kvm_run.immediate_exit, and the next KVM_RUN returns at once. The byte still exists then: the signal goes to the
// thread that made the timer, which keeps it unblocked until it has removed the timer, so that none stays pending.
// Facts: KVM API document, section 5 (immediate_exit); timer_create(2) (SIGEV_THREAD_ID), signal(7),
// pthread_sigmask(3).

import CHost
import CKVM
import Glibc
import SystemPackage

/// A timer that sends a signal to the thread that made it, repeatedly once started.
///
/// Invariant: `timer` exists until `remove()` is called, once, on the thread that made it.
@safe struct KickTimer: @unchecked Sendable {
  // @unchecked Sendable: the handle is valid in every thread. timer_t is an integer typed as a pointer; 0 is a valid
  // timer.
  private let timer: timer_t?
  private let thread: pthread_t
  private let flag: UnsafeMutablePointer<UInt8>
  /// The signals that the thread blocked before.
  private let signalMask: sigset_t

  /// The time from a signal to the next, needed if the first came too early.
  private static let repetition = timespec(tv_sec: 0, tv_nsec: 10_000_000)
  /// The first real-time signal that has no handler in this process when the first run begins.
  private static let signal: CInt? = {
    var action = sigaction()
    action.sa_flags = SA_SIGINFO
    // Safe: a timer's signal carries the byte that `init` was given, which exists by its contract. Without SA_RESTART,
    // KVM_RUN returns.
    unsafe action.__sigaction_handler.sa_sigaction = { _, info, _ in
      guard let info = unsafe info, unsafe info.pointee.si_code == CInt(SI_TIMER) else { return }
      let flag = unsafe info.pointee._sifields._timer.si_sigval.sival_ptr
      unsafe flag?.storeBytes(of: 1, as: UInt8.self)
    }
    for signal in __libc_current_sigrtmin()...__libc_current_sigrtmax() {
      var current = sigaction()
      // Safe: the structure is this call's own; SIG_DFL is the null pointer.
      guard unsafe sigaction(signal, nil, &current) == 0,
        unsafe current.__sigaction_handler.sa_sigaction == nil
      else { continue }
      if unsafe sigaction(signal, &action, nil) == 0 { return signal }
    }
    return nil
  }()

  /// Makes a timer for this thread and unblocks its signal; each signal sets `flag` to 1.
  ///
  /// `flag` must stay valid until `remove()`.
  ///
  /// - Throws: `KVMError` when the kernel has no timer left, or every real-time signal of this process is taken.
  init(setting flag: UnsafeMutablePointer<UInt8>) throws(KVMError) {
    guard let signal = Self.signal else { throw KVMError(.arm, .resourceBusy) }
    thread = pthread_self()
    unsafe self.flag = unsafe flag
    // Safe: the event names this thread; each call gets a structure of its own, used only during the call.
    var event = unsafe sigevent()
    unsafe event.sigev_notify = CInt(SIGEV_THREAD_ID)
    unsafe event.sigev_signo = signal
    unsafe event._sigev_un._tid = chost_gettid()
    unsafe event.sigev_value.sival_ptr = UnsafeMutableRawPointer(flag)
    var made: timer_t?
    guard unsafe timer_create(CLOCK_MONOTONIC, &event, &made) == 0 else {
      throw KVMError(.arm, Errno(rawValue: errno))
    }
    unsafe timer = made

    // libdispatch's worker threads block every signal.
    var wanted = sigset_t()
    var before = sigset_t()
    unsafe sigemptyset(&wanted)
    unsafe sigaddset(&wanted, signal)
    unsafe pthread_sigmask(SIG_UNBLOCK, &wanted, &before)
    signalMask = before
  }

  /// Sends the signal after `delay`, and again every 10 ms; callable from any thread.
  ///
  /// - Throws: `KVMError` when the kernel does not start the timer.
  func start(after delay: Duration) throws(KVMError) {
    let (seconds, attoseconds) = delay.components
    // A delay of exactly zero would disarm the timer.
    let first = timespec(tv_sec: Int(max(0, seconds)), tv_nsec: max(1, Int(attoseconds / 1_000_000_000)))
    var setting = itimerspec(it_interval: Self.repetition, it_value: first)
    // Safe: the timer exists, by the invariant.
    guard unsafe timer_settime(timer, 0, &setting, nil) == 0 else { throw KVMError(.arm, Errno(rawValue: errno)) }
  }

  /// Makes the thread leave the guest now, once, without the timer; callable from any thread.
  ///
  /// The byte is set before the signal is sent: a KVM_RUN that begins later returns at once, a running one returns by
  /// the signal.
  func kick() {
    // Safe: the byte exists until `remove()`, and so does the thread, which calls that.
    unsafe flag.pointee = 1
    if let signal = Self.signal { pthread_kill(thread, signal) }
  }

  /// Removes the timer and restores the thread's signal mask.
  func remove() {
    // Safe: the timer exists until here, by the invariant.
    unsafe timer_delete(timer)
    var mask = signalMask
    unsafe pthread_sigmask(SIG_SETMASK, &mask, nil)
  }
}
