// The guests' work by name. What each does stands in GuestImages/Guests.

/// A workload's name, on the command line and in results.
public enum WorkloadName: String, CaseIterable, Sendable {
  case bare
  case ibrs
  case ibrsAll = "ibrs-all"
  case ibrsForced = "ibrs-forced"
  case ibrsZero = "ibrs-zero"
  case retpoline
  case indirect
  case ibpb
  case ssbd
  case chatty
  case phases
  case probe
  case wrmsr
  case rdmsr
  case cpuid
  case out
  case mmio
  case hlt
  case delay
}
