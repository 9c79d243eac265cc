// The devices of our guests: a doorbell that ends the run, a port and an address to exit at, and HLT for the guest that
// is about it.

import GuestImages
import Hypervisor

/// Answers what a workload was built to do, and nothing else.
struct GuestPorts: ExitHandler {
  /// Whether the guest's work is to halt: to any other, a HLT means that it has lost its way.
  private let resumesHalts: Bool
  /// Whether the guest's work is to store where there is no memory.
  private let takesStores: Bool
  /// Whether a pause was ordered that the guest has not come to yet.
  private let awaitsPause: Bool
  /// Whether the guest has come to the pause that was ordered.
  private(set) var isPaused = false

  /// The devices for a guest that exits through its ports alone, or as this workload does; it stops for a pause only
  /// where one was ordered.
  init(for workload: Workload? = nil, awaitingPause: Bool = false) {
    awaitsPause = awaitingPause
    resumesHalts = (workload?.perIteration.halts ?? 0) > 0
    takesStores = (workload?.perIteration.stores ?? 0) > 0
  }

  @inline(__always) mutating func portOut(_ access: PortAccess, from cpu: borrowing VirtualCPU) -> Disposition {
    switch access.port {
    case UInt16(Port.chatter): .resume
    case UInt16(Port.doorbell): .stop
    case UInt16(Port.pause): pause()
    default: .unanswered
    }
  }

  private mutating func pause() -> Disposition {
    guard awaitsPause else { return .unanswered }
    isPaused = true
    return .stop
  }

  @inline(__always) mutating func mmioWrite(_ access: MMIOAccess) -> Disposition {
    takesStores && access.address.rawValue == Layout.device ? .resume : .unanswered
  }

  @inline(__always) mutating func halt() -> Disposition { resumesHalts ? .resume : .unanswered }
}
