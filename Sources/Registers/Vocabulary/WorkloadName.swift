// The names of the workloads. GuestImages/Guests has the code of each.

/// A workload's name, on the command line and in results.
public enum WorkloadName: String, CaseIterable, Sendable {
  case bare, ibrs, ibrsAll = "ibrs-all", ibrsForced = "ibrs-forced", ibrsZero = "ibrs-zero"
  case retpoline, indirect, ibpb, ssbd, chatty, phases
  case probe, wrmsr, rdmsr, cpuid, out, outTwice = "out-twice", outInterrupted = "out-interrupted", mmio, hlt, delay
}
