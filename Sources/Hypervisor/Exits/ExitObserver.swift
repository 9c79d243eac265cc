// Observing exits, to time or print them. The run loop is generic over the observer, so that none costs nothing.

import CKVM

/// Sees every entry and every exit of a run, and changes nothing.
public protocol ExitObserver: ~Copyable {
  /// Called immediately before KVM_RUN.
  mutating func willEnter()
  /// Called immediately after KVM_RUN, with KVM's reason.
  mutating func didExit(_ reason: UInt32)
  /// Called when the exit has been decoded, before it is answered.
  mutating func willAnswer(_ exit: Exit, of cpu: borrowing VirtualCPU)
}

extension ExitObserver where Self: ~Copyable {
  @inlinable public mutating func willEnter() {}
  @inlinable public mutating func didExit(_ reason: UInt32) {}
  @inlinable public mutating func willAnswer(_ exit: Exit, of cpu: borrowing VirtualCPU) {}
}

/// Sees nothing, and costs nothing.
public struct NoObserver: ExitObserver {
  @inlinable public init() {}
}
