// `spectrap list`: workloads, entries and policies, and what this host can run of them.

import ArgumentParser
import Experiments
import GuestImages
import Hypervisor
import Measurement

struct List: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists workloads, entries and policies, and whether this host can run them.")

  @OptionGroup var kvm: KVMOptions
  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  func run() throws {
    try Failure.reporting {
      let inventory = Inventory(on: try? kvm.open())
      if json { try Output.json(inventory) } else { try Output.result(inventory.text) }
    }
  }
}

/// What there is, and what of it works here; `works` is null where there is no KVM to ask.
private struct Inventory: Encodable {
  struct Item: Encodable {
    let name: String
    let summary: String
    /// The entries of a workload; absent for the others.
    var entries: [String]?
    @Nullable var works: Bool?
    @Nullable var seen: String?
  }

  let schemaVersion = 1
  let workloads: [Item]
  let primitives: [Item]
  let entries: [Item]
  let policies: [Item]

  init(on kvm: consuming KVM?) {
    var host = HostReport()
    var refusals: [Workload.Name: String] = [:]
    if let kvm {
      try? host.addProofs(on: kvm)
      for name in Workload.Name.allCases { refusals[name] = (try? Workload(name).refusal(on: kvm)) ?? nil }
    }
    let entryFacts = host.entries
    entries = Entry.allCases.map { entry in
      let fact =
        entry == .none
        ? entryFacts.map { _ in HostReport.Fact(works: true, seen: "needs no entry") } : entryFacts?[entry.rawValue]
      return Item(name: entry.rawValue, summary: entry.summary, works: fact?.works, seen: fact?.seen)
    }
    policies = PolicyName.allCases.map { policy in
      let fact = host.policies?[policy.rawValue]
      return Item(name: policy.rawValue, summary: policy.summary, works: fact?.works, seen: fact?.seen)
    }
    let working = Set(entries.filter { $0.works == true }.map(\.name))
    let guests = Workload.Name.allCases.map { name -> (kind: Workload.Kind, item: Item) in
      let workload = Workload(name)
      let possible = workload.entries.map(\.rawValue)
      let here = refusals[name] == nil ? possible.filter(working.contains) : []
      return (
        name.kind,
        Item(
          name: name.rawValue, summary: workload.summary, entries: possible,
          works: entryFacts == nil ? nil : !here.isEmpty,
          seen: entryFacts == nil ? nil : refusals[name] ?? "with \(here.joined(separator: ", "))")
      )
    }
    workloads = guests.filter { $0.kind == .workload }.map(\.item)
    primitives = guests.filter { $0.kind == .primitive }.map(\.item)
  }

  var text: String {
    var text = ""
    for (title, items) in [
      ("Workloads", workloads), ("Primitives", primitives), ("Entries", entries), ("Policies", policies),
    ] {
      var table = TextTable()
      for item in items {
        let works = item.works.map { $0 ? "yes" : "no" } ?? "?"
        table.add("  \(item.name)", works, item.summary)
        if item.works == false, let seen = item.seen { table.add("", "", "here: \(seen)") }
      }
      text += "\(title)\(workloads[0].works == nil ? " (no KVM here to try them on)" : ", and whether they run here")\n"
      text += table.text(width: Terminal.width) + "\n"
    }
    return text
  }
}
