// What answers the exits that a policy does not: ports, MMIO, HLT.

/// How the run continues after an exit.
@frozen public enum Disposition: Sendable {
  /// The exit is answered; enter the guest again.
  case resume
  /// The guest is done.
  case stop
  /// The exit has no answer: the run ends with an error that says what the guest did.
  case unanswered
}

/// The devices of a guest: the answers to its port and MMIO accesses and to HLT.
public protocol ExitHandler: ~Copyable {
  mutating func portOut(_ access: PortAccess, from cpu: borrowing VirtualCPU) -> Disposition
  mutating func portIn(_ access: PortAccess, to cpu: inout VirtualCPU) -> Disposition
  mutating func mmioWrite(_ access: MMIOAccess) -> Disposition
  mutating func mmioRead(_ access: MMIOAccess, to cpu: inout VirtualCPU) -> Disposition
  mutating func halt() -> Disposition
}

extension ExitHandler where Self: ~Copyable {
  @inlinable public mutating func portOut(_ access: PortAccess, from cpu: borrowing VirtualCPU) -> Disposition {
    .unanswered
  }
  @inlinable public mutating func portIn(_ access: PortAccess, to cpu: inout VirtualCPU) -> Disposition { .unanswered }
  @inlinable public mutating func mmioWrite(_ access: MMIOAccess) -> Disposition { .unanswered }
  @inlinable public mutating func mmioRead(_ access: MMIOAccess, to cpu: inout VirtualCPU) -> Disposition {
    .unanswered
  }
  @inlinable public mutating func halt() -> Disposition { .stop }
}
