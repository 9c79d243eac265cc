// `spectrap list`: workloads, entries, policies and images, and what this host can run of them.

import ArgumentParser
import Boot
import Experiments
import GuestImages
import Hypervisor
import Measurement

struct List: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists workloads, entries, policies and images, and whether this host can run them.")

  @OptionGroup var kvm: KVMOptions
  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  func run() throws {
    try Failure.reporting {
      let inventory = Inventory(on: try? kvm.open())
      if json { try Output.json(inventory) } else { try Output.result(inventory.text) }
      if let failure = inventory.failure { throw failure }
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

  private enum CodingKeys: String, CodingKey { case schemaVersion, workloads, primitives, entries, policies, images }

  let schemaVersion = 1
  /// Why something could not be tried; nil when all could.
  private(set) var failure: (any Error)?
  let workloads: [Item]
  let primitives: [Item]
  let entries: [Item]
  let policies: [Item]
  /// What `spectrap boot` can run here.
  let images: [Item]

  init(on kvm: consuming KVM?) {
    var host = HostReport()
    var refusals: [Workload.Name: String] = [:]
    var untried: [Workload.Name: String] = [:]
    var failure: (any Error)?
    var hasInterruptControllers: Bool?
    if let kvm {
      hasInterruptControllers = try? kvm.has(.irqchip) && kvm.has(.pit2)
      do { try host.addProofs(on: kvm) } catch { failure = error }
      for name in Workload.Name.allCases {
        do { refusals[name] = try Workload(name).refusal(on: kvm) } catch {
          untried[name] = "not known: \(error)"
          failure = failure ?? error
        }
      }
    }
    self.failure = failure
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
    images = HostReport.bootable(entries: entryFacts, hasInterruptControllers: hasInterruptControllers).map {
      Item(name: $0.name, summary: $0.summary, works: $0.fact?.works, seen: $0.fact?.seen)
    }
    let working = Set(entries.filter { $0.works == true }.map(\.name))
    let unknown = Set(entries.filter { $0.works == nil }.map(\.name))
    let guests = Workload.Name.allCases.map { name -> (kind: Workload.Kind, item: Item) in
      let workload = Workload(name)
      let possible = workload.entries.map(\.rawValue)
      let here = refusals[name] == nil ? possible.filter(working.contains) : []
      let isUnknown =
        untried[name] != nil || (refusals[name] == nil && here.isEmpty && possible.contains(where: unknown.contains))
      return (
        name.kind,
        Item(
          name: name.rawValue, summary: workload.summary, entries: possible,
          works: entryFacts == nil || isUnknown ? nil : !here.isEmpty,
          seen: entryFacts == nil
            ? nil
            : untried[name] ?? refusals[name]
              ?? (isUnknown ? "not known: no entry of it could be tried" : "with \(here.joined(separator: ", "))"))
      )
    }
    workloads = guests.filter { $0.kind == .workload }.map(\.item)
    primitives = guests.filter { $0.kind == .primitive }.map(\.item)
  }

  var text: String {
    var text = ""
    for (title, items) in [
      ("Workloads", workloads), ("Primitives", primitives), ("Entries", entries), ("Policies", policies),
      ("Images", images),
    ] {
      var table = TextTable()
      for item in items {
        let works = item.works.map { $0 ? "yes" : "no" } ?? "?"
        table.add("  \(item.name)", works, item.summary)
        if item.works != true, let seen = item.seen { table.add("", "", "here: \(seen)") }
      }
      text += "\(title)\(workloads[0].works == nil ? " (no KVM here to try them on)" : ", and whether they run here")\n"
      text += table.text(width: Terminal.width) + "\n"
    }
    return text
  }
}
