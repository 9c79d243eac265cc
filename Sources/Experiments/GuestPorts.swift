// The devices of our guests: a doorbell that ends the run, and a port to chatter at.

import GuestImages
import Hypervisor

/// Answers the ports of `GuestImages.Port`, and nothing else.
struct GuestPorts: ExitHandler {
  @inline(__always) mutating func portOut(_ access: PortAccess, from cpu: borrowing VirtualCPU) -> Disposition {
    switch access.port {
    case UInt16(Port.chatter): .resume
    case UInt16(Port.doorbell): .stop
    default: .unanswered
    }
  }

  // The guests end with the doorbell: a HLT is a guest that has lost its way.
  mutating func halt() -> Disposition { .unanswered }
}
