// A second VM beside the measured one: a guest that writes the MSR all the time, on the same processor or on another.
// Its exits, one for every few writes, prove that it runs.

import GuestImages
import Hypervisor
import Synchronization
import SystemPackage

/// Where a neighbour runs.
public enum NeighbourPlace: String, Sendable {
  case sameCPU = "same-cpu"
  case otherCPU = "other-cpu"
}

/// A neighbour that runs until it is stopped.
struct Neighbour: ~Copyable {
  private let thread: Thread
  private let control: RunControl
  private let exits: PortOutCount
  private let failure: Failure

  /// Why a neighbour ended by itself.
  private final class Failure: Sendable {
    let reason = Mutex<String?>(nil)
  }

  /// Writes between two exits.
  private static let writesPerExit = 64
  /// The interval of checks whether it has begun.
  private static let period = Duration.microseconds(200)

  /// Starts a guest that keeps writing the MSR of `experiment`, on `cpu`, under its policy.
  ///
  /// - Throws: `Errno` when there is no thread for it. A later failure ends the neighbour; see `awaitWriting`.
  init(
    on cpu: Int, beside experiment: Experiment, terms: Terms, path: FilePath
  ) throws(Errno) {
    let (control, exits, failure) = (RunControl(), PortOutCount(), Failure())
    let (policy, msr) = (experiment.policy, experiment.msr)
    thread = try Thread {
      do {
        try CPUAffinity.bind(to: cpu)
        let kvm = try KVM(path: path)
        var experiment = try Experiment(
          running: .ibrs(msr, writes: Self.writesPerExit, exits: 1), entry: .none, policy: policy, msr: msr,
          iterations: 1, samples: 1)
        experiment.iterationsPerSample = [UInt32.max - 1]
        while !control.isCancelled {
          _ = try experiment.run(on: kvm, terms: terms, observing: .portOuts(exits), control: control)
        }
      } catch {
        failure.reason.withLock { $0 = "\(error)" }
      }
    }
    (self.control, self.exits, self.failure) = (control, exits, failure)
  }

  /// Returns the number of its writes up to its last exit.
  var writes: @Sendable () -> UInt64 { { [exits] in exits.value * UInt64(Self.writesPerExit) } }

  /// Waits until it writes; returns nil, or why it does not.
  func awaitWriting(within limit: Duration) -> String? {
    let deadline = ContinuousClock.now + limit
    while exits.value == 0 {
      if let reason = failure.reason.withLock({ $0 }) { return "its neighbour failed: \(reason)" }
      guard ContinuousClock.now < deadline else { return "its neighbour did not write within \(limit)" }
      // Sleeps, because the neighbour may need this processor.
      Thread.sleep(for: Self.period)
    }
    return nil
  }

  /// Stops the neighbour and waits for its end.
  consuming func stop() {
    control.cancel()
    thread.join()
  }
}
