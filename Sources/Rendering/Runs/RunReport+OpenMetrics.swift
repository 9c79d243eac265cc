// A run's figures for a collector of text files.

public import Measurement
import Registers

extension RunReport {
  /// The run's outcome, its exits by the three witnesses, and its figures.
  public var openMetrics: String {
    var labels = ["workload": workload.text, "entry": entry.text, "policy": policy.text]
    labels["host"] = identity?.host
    func with(_ more: [String: String]) -> [String: String] { labels.merging(more) { $1 } }

    var text = OpenMetrics()
    text.family("spectrap_run_completed", "Whether the guest ran to its end.", [(labels, completed ? 1 : 0)])
    text.family("spectrap_run_iterations", "Kernel entries that were ordered.", [(labels, Double(iterations))])
    text.family(
      "spectrap_run_exits", "Exits that reached the VMM, by reason.",
      exits.byReason.sorted { $0.key < $1.key }.map { (with(["reason": $0.key]), Double($0.value)) })
    text.family("spectrap_run_kvm_exits", "Exits that KVM counted.", kvm.exits.map { [(labels, Double($0))] } ?? [])
    text.family(
      "spectrap_run_iteration_cycles", "The median per iteration, in cycles of the guest's clock.",
      guest.cyclesPerIteration.map { [(labels, $0)] } ?? [])
    text.family(
      "spectrap_run_exit_cycles", "The whole run over its exits, in cycles of the host's clock.",
      vmm.cyclesPerExit.map { [(labels, $0)] } ?? [])
    return text.ended
  }
}
