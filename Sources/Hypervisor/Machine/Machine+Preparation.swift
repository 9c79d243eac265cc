// What a run needs of the system, taken before it: a machine that has taken over a guest must not fail for want of a
// timer.

extension Machine where P: ~Copyable {
  /// Takes all that this thread's next run under this control needs: its timer and its signal; and enters the vCPU once
  /// without running the guest, so that KVM has what it needs, too.
  ///
  /// The policy has what it reads before the first entry, too. The run must follow on this thread, or `release`.
  ///
  /// - Throws: `KVMError` when the system has no room or KVM cannot enter the vCPU, `PolicyError` when the policy
  ///   cannot read; then nothing is taken.
  public mutating func prepare(for control: RunControl) throws {
    try policy.start(cpu)
    // Safe: the vCPU's kvm_run is there until after the run's end, or `release`.
    try unsafe control.prepare(setting: cpu.immediateExit)
    do throws(KVMError) { _ = try cpu.completeExit() } catch {
      control.end()
      throw error
    }
  }

  /// Gives back what `prepare` took, where no run followed.
  public mutating func release(_ control: RunControl) {
    control.end()
    // Safe: by the invariant of the vCPU. A cancel may have set it meanwhile.
    unsafe cpu.immediateExit.pointee = 0
  }
}
