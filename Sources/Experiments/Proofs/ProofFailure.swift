// Why something could not be tried. A shortage of the moment is no fact about a host: what was not tried is not known.

public import Hypervisor

/// Why a proof was not made: nothing about the host follows from it.
public enum ProofFailure: Error, Equatable, Sendable {
  /// KVM or the kernel failed at a call.
  case call(KVMError)
  /// The guest did not come to its end in this time.
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
    case .timedOut(let limit): "the guest did not come to its end within \(limit / .seconds(1)) s"
    }
  }
}
