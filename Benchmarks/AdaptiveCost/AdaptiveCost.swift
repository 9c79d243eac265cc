// What every workload costs in all under every policy, adaptive among them: for scripts/adaptive-cost, which runs this
// in the lab, where the clock counts instructions. One line each:
//   costs ACCESS EXIT PRICE EXIT-BY-ITSELF               what adaptive weighs, measured once
//   run POLICY WORKLOAD ITERATIONS TOTAL OPENS CLOSES     host cycles from the first entry to the last exit

import Experiments
import GuestImages
import Hypervisor

@main
struct AdaptiveCost {
  /// A workload with its name in the table.
  struct Guest {
    let name: String
    let workload: Workload
    let iterations: Int
    var entry: Entry { workload.entries == [.none] ? .none : .syscall }
  }

  static func main() throws {
    let kvm = try KVM()
    let terms = try Terms.prove(.specCtrl, on: kvm, acceptsUnprotected: true)
      .measured(for: .adaptive, on: kvm)
    guard let costs = terms.adaptiveCosts else {
      print("adaptive opens no register on this host")
      return
    }
    print("costs \(costs.access) \(costs.exit) \(costs.price) \(costs.wholeExit)")
    for guest in guests {
      for policy in PolicyName.allCases {
        let experiment = try Experiment(
          running: guest.workload, entry: guest.entry, policy: policy, iterations: guest.iterations, samples: 1)
        let record = try experiment.run(on: kvm, terms: terms)
        print(
          "run \(policy.rawValue) \(guest.name) \(guest.iterations) \(record.hostCycles) "
            + "\(record.tally["opens"] ?? 0) \(record.tally["closes"] ?? 0)")
      }
    }
  }

  /// Every workload of the benchmark, its grid of writes and exits, its primitives, and phases of several lengths: the
  /// longest are quiet for so long that the register is closed again.
  private static var guests: [Guest] {
    let writing: Set<Workload.Name> = [.ibrs, .ibrsForced, .ssbd]
    let kernels: [Workload.Name] = [.bare, .ibrs, .ibrsAll, .ibrsForced, .retpoline, .indirect, .ssbd, .chatty, .ibpb]
    let primitives: [Workload.Name] = [.wrmsr, .cpuid, .out, .mmio, .hlt]
    return kernels.map {
      Guest(
        name: $0.rawValue, workload: Workload($0),
        iterations: $0 == .chatty ? 500 : writing.contains($0) ? 1000 : 20_000)
    }
      + [(1, 0), (4, 0), (2, 1), (2, 4), (4, 4)].map { writes, exits in
        Guest(name: "ibrs-w\(writes)-x\(exits)", workload: .ibrs(writes: writes, exits: exits), iterations: 200)
      }
      + primitives.map { Guest(name: $0.rawValue, workload: Workload($0), iterations: 500) }
      + [(1, 500), (10, 500), (100, 500), (1000, 2000), (6000, 12_100)].map { length, iterations in
        Guest(name: "phases-\(length)", workload: .phases(length: length), iterations: iterations)
      }
  }
}
