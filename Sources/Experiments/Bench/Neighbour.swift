// A second VM beside the measured one: a guest that writes the MSR all the time, on the same processor or on another.

import GuestImages
import Hypervisor
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

  /// Starts a guest that writes without end, on `cpu`, under `policy`.
  ///
  /// Throws `Errno` when there is no thread for it. What goes wrong later ends the neighbour, not the measurement; the
  /// caller's counts of the measured VM do not depend on it.
  init(on cpu: Int, policy: PolicyName, msr: MSR, path: FilePath) throws(Errno) {
    let control = RunControl()
    thread = try Thread {
      try? CPUAffinity.bind(to: cpu)
      guard let kvm = try? KVM(path: path), let abilities = try? HostAbilities(provedOn: kvm, subject: msr),
        var experiment = try? Experiment(.ibrs, entry: .none, policy: policy, msr: msr, iterations: 1, samples: 1)
      else { return }
      experiment.orders = [UInt32.max - 1]
      while !control.isCancelled {
        guard (try? experiment.run(on: kvm, abilities: abilities, control: control)) != nil else { return }
      }
    }
    self.control = control
  }

  /// Stops the neighbour and waits for its end.
  consuming func stop() {
    control.cancel()
    thread.join()
  }
}
