// delay: a known number of instructions more per iteration, to test that a measurement finds them.

extension Workload {
  /// Adds `instructions` register instructions, each of which needs the one before it, to an empty iteration.
  ///
  /// As many as the kernel's place in memory holds: an image with more is refused.
  public static func delay(_ instructions: Int = 100) -> Workload {
    precondition(instructions >= 0)
    var workload = Workload(
      primitive: .delay, "a known delay: register instructions, each waiting for the one before", actions: Actions()
    ) { asm in
      for _ in 0..<instructions { asm.inc(.r8d) }
    }
    workload.parameters = ["instructions": instructions]
    return workload
  }
}
