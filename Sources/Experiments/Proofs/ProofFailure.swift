// Why a proof could not be made. A momentary shortage says nothing about a host, so the result is then not known.

public import Hypervisor

/// Why a proof could not be made.
public enum ProofFailure: Error, Equatable, Sendable {
  /// KVM or the kernel failed at a call.
  case call(KVMError)
  /// The guest did not end in this time.
  case timedOut(Duration)

  /// The failure behind an error; nil where the error says something about the guest or this program.
  init?(behind error: any Error) {
    guard let error = KVMError(behind: error) else { return nil }
    self = .call(error)
  }
}

extension ProofFailure: CustomStringConvertible {
  public var description: String {
    switch self {
    case .call(let error): "\(error)"
    case .timedOut(let limit): "the guest did not end within \(limit / .seconds(1)) s"
    }
  }
}
