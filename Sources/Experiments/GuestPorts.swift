// The devices of experiments' guests: a doorbell that ends the run, a port and an address that only exit, and HLT for
// the guest that measures it.

import GuestImages
import Hypervisor

/// Answers only the exits that a workload was built for.
struct GuestPorts: ExitHandler {
  /// Whether the guest's work is to halt.
  ///
  /// For any other guest a HLT is an error.
  private let resumesHalts: Bool
  /// Whether the guest's work is to store where there is no memory.
  private let takesStores: Bool
  /// Whether each exit is to be followed by a KVM_RUN that enters no guest.
  private let interrupts: Bool
  /// Whether the guest has a pause that it has not reached.
  private let awaitsPause: Bool
  /// Whether the guest has reached its pause.
  private(set) var isPaused = false

  /// The devices for a workload; without one, for a guest that exits only through its ports.
  init(for workload: Workload? = nil, awaitingPause: Bool = false) {
    awaitsPause = awaitingPause
    resumesHalts = (workload?.perIteration.halts ?? 0) > 0
    takesStores = (workload?.perIteration.stores ?? 0) > 0
    interrupts = (workload?.perIteration.interruptions ?? 0) > 0
  }

  @inline(__always) mutating func portOut(_ access: PortAccess, from cpu: borrowing VirtualCPU) -> Disposition {
    switch access.port {
    case UInt16(Port.chatter): .resume
    case UInt16(Port.doorbell): .stop
    case UInt16(Port.pause): pause()
    case UInt16(Port.interrupt): interrupt(cpu)
    default: .unanswered
    }
  }

  private mutating func pause() -> Disposition {
    guard awaitsPause else { return .unanswered }
    isPaused = true
    return .stop
  }

  @inline(never) private func interrupt(_ cpu: borrowing VirtualCPU) -> Disposition {
    guard interrupts else { return .unanswered }
    cpu.interruptNextEntry()
    return .resume
  }

  @inline(__always) mutating func mmioWrite(_ access: MMIOAccess) -> Disposition {
    takesStores && access.address.rawValue == Layout.device ? .resume : .unanswered
  }

  @inline(__always) mutating func halt() -> Disposition { resumesHalts ? .resume : .unanswered }
}
