// Allocating what a run needs before it begins: a machine that has taken over a guest must not fail for lack of a
// timer.

extension Machine where P: ~Copyable {
  /// Allocates what this thread's next run under this control needs.
  ///
  /// That is the timer, the signal, and the registers that the policy reads before the first entry. The vCPU is entered
  /// once without running the guest, so that KVM allocates too. The run must follow on this thread, or `release`.
  ///
  /// - Throws: `KVMError` when the system has no room or KVM cannot enter the vCPU, `PolicyError` when the policy
  ///   cannot read; then nothing is allocated.
  public mutating func prepare(for control: RunControl) throws {
    try policy.start(cpu)
    // Safe: the vCPU's kvm_run exists until after the run's end, or `release`.
    try unsafe control.prepare(setting: cpu.immediateExit)
    do throws(KVMError) { _ = try cpu.completeExit() } catch {
      control.end()
      throw error
    }
  }

  /// Releases what `prepare` allocated, if no run followed.
  public mutating func release(_ control: RunControl) {
    control.end()
    // Safe: by the invariant of the vCPU. A cancel may have set it.
    unsafe cpu.immediateExit.pointee = 0
  }
}
