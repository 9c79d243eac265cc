// The inventory of `spectrap list`: what can be run, and whether it works here.

import GuestImages
public import Hypervisor
public import Measurement

/// Workloads, primitives, entries, policies and images, and whether this host can run them.
public struct Inventory: Encodable, Sendable {
  /// An item; `works` is null where it could not be tried, `seen` where nothing was seen.
  public struct Item: Encodable, Sendable {
    public let name: String
    public let summary: String
    /// The entries of a workload; absent for the others.
    public let entries: [String]?
    @Nullable public private(set) var works: Bool?
    /// What was seen when it was tried, in a sentence without a full stop.
    @Nullable public private(set) var seen: String?
  }

  private enum CodingKeys: String, CodingKey { case schemaVersion, workloads, primitives, entries, policies, images }

  public let schemaVersion = 1
  public let workloads: [Item]
  public let primitives: [Item]
  public let entries: [Item]
  public let policies: [Item]
  /// What `spectrap boot` can run.
  public let images: [Item]
  /// Why something could not be tried; nil when all could.
  public let failure: (any Error)?

  /// Tries each item on this host; nothing is tried without KVM.
  public static func prove(on kvm: consuming KVM?) -> Inventory { Inventory(on: kvm) }

  private init(on kvm: consuming KVM?) {
    var trials: HostTrials?
    var refusals: [Workload.Name: String] = [:]
    var untried: [Workload.Name: String] = [:]
    var failure: (any Error)?
    var hasInterruptControllers: Bool?
    if let kvm {
      hasInterruptControllers = try? kvm.has(.irqchip) && kvm.has(.pit2)
      do {
        trials = try HostTrials.prove(on: kvm)
        _ = try trials?.complete()
      } catch { failure = error }
      for name in Workload.Name.allCases {
        do { refusals[name] = try Workload(name).proveRefusal(on: kvm) } catch {
          untried[name] = "not known: \(error)"
          failure = failure ?? error
        }
      }
    }
    self.failure = failure
    let host = HostReport(trials: trials)
    let entries = Entry.allCases.map { Item($0, on: host) }
    self.entries = entries
    policies = PolicyName.allCases.map { policy in
      let fact = host.policies?[.known(policy)]
      return Item(name: policy.rawValue, summary: policy.summary, entries: nil, works: fact?.works, seen: fact?.seen)
    }
    images = BootableKind.allCases.map { kind in
      let fact = kind.fact(syscall: host.entries?[.known(.syscall)], hasInterruptControllers: hasInterruptControllers)
      return Item(name: kind.rawValue, summary: kind.summary, entries: nil, works: fact?.works, seen: fact?.seen)
    }
    let guests = Workload.Name.allCases.map { name in
      (
        kind: name.kind,
        item: Item(Workload(name), among: entries, refusal: refusals[name], whyUntried: untried[name], on: host)
      )
    }
    workloads = guests.filter { $0.kind == .workload }.map(\.item)
    primitives = guests.filter { $0.kind == .primitive }.map(\.item)
  }
}

extension Inventory.Item {
  fileprivate init(_ entry: Entry, on host: HostReport) {
    let fact =
      entry == .none
      ? host.entries.map { _ in HostReport.Fact(works: true, seen: "needs no entry") } : host.entries?[.known(entry)]
    self.init(name: entry.rawValue, summary: entry.summary, entries: nil, works: fact?.works, seen: fact?.seen)
  }

  /// A workload runs here if one of its entries does and nothing refuses it.
  fileprivate init(
    _ workload: Workload, among entries: [Self], refusal: String?, whyUntried: String?, on host: HostReport
  ) {
    let possible = workload.entries.map(\.rawValue)
    let working = possible.filter { name in entries.contains { $0.name == name && $0.works == true } }
    let here = refusal == nil ? working : []
    let hasUnknown = possible.contains { name in entries.contains { $0.name == name && $0.works == nil } }
    let isUnknown = whyUntried != nil || refusal == nil && here.isEmpty && hasUnknown
    let why = isUnknown ? "not known: none of its entries could be tried" : "with \(here.joined(separator: ", "))"
    self.init(
      name: workload.name.text, summary: workload.summary, entries: possible,
      works: host.entries == nil || isUnknown ? nil : !here.isEmpty,
      seen: host.entries == nil ? nil : whyUntried ?? refusal ?? why)
  }
}
