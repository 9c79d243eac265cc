// Merges results of many hosts, one at a time: what is kept of each are its medians.

import Registers

/// Results of many hosts while they come in.
public struct FleetMerge {
  private let facts: [ClassFact]
  /// The program's version, for the classes' reports.
  private let version: String
  private var groups: [Key: FleetClassBuilder] = [:]
  private var order = [String]()
  private var statuses: [String: HostStatus] = [:]
  private var errors: [String: String] = [:]
  /// By the name of the file without its ending: those of which something came back.
  private var seen: Set<String> = []
  /// Hosts whose results do not count, and the names of their files.
  private var void: [(file: String, host: FleetReport.Absent)] = []
  private var superseded: [String] = []
  /// The results that count, by their host's id.
  private var places: [String: Place] = [:]

  /// A result that counts.
  private struct Place {
    let key: Key
    let file: String
    let began: String
  }

  /// What hosts of one class have in common.
  private struct Key: Hashable {
    let facts: [String]
    let unit: String
    let msr: String
  }

  /// A merge into classes by these facts.
  public init(by facts: [ClassFact] = ClassFact.allCases, version: String) {
    self.facts = facts
    self.version = version
  }

  /// Adds a host's result; of several of one host, the one that began last counts.
  ///
  /// - Parameters:
  ///   - name: what the host is called where its result does not say it: the file's name without its ending.
  ///   - whole: the whole result, for what the hosts before it have not told of the class; samples are not needed.
  /// - Throws: What `whole` throws; nothing is added then.
  public mutating func add(
    _ figures: HostFigures, named name: String, whole: () throws -> BenchReport
  ) rethrows {
    let id = figures.identity?.host ?? name
    let problem: FleetReport.Absent? =
      if figures.partial {
        .init(host: id, fate: .partial, reason: "it was stopped")
      } else { figures.clock.doubt.map { .init(host: id, fate: .doubted, reason: $0) } }
    if let problem {
      seen.insert(name)
      void.append((name, problem))
      return
    }
    let began = figures.identity?.began ?? ""
    let other = places[id]
    if let other, other.began >= began {
      seen.insert(name)
      superseded.append(name)
      return
    }
    let key = Key(
      facts: facts.map { $0.value(of: figures.host) }, unit: figures.environment.unit, msr: figures.msr.index.text)
    // Taken out, so that it is not copied; it comes back whatever happens.
    var group: FleetClassBuilder
    if let known = groups.removeValue(forKey: key) { group = known } else { group = FleetClassBuilder(try whole()) }
    defer { if group.count > 0 { groups[key] = group } }
    try group.add(figures, as: id, whole: whole)
    seen.insert(name)
    places[id] = Place(key: key, file: name, began: began)
    guard let other else { return }
    // The earlier one is the first of that id.
    superseded.append(other.file)
    if other.key == key { group.remove(id) } else { groups[other.key]?.remove(id) }
    if groups[other.key]?.count == 0 { groups[other.key] = nil }
  }

  /// Adds a host's whole result.
  public mutating func add(_ report: BenchReport, named name: String) {
    add(HostFigures(report), named: name) { report }
  }

  /// Adds how the program ended on a host.
  public mutating func add(_ status: HostStatus) { statuses[status.host] = status }

  /// Adds which hosts were asked.
  public mutating func add(_ order: FleetOrder) { self.order += order.hosts }

  /// Adds what a host's program wrote to standard error.
  public mutating func add(error: String, of host: String) { errors[host] = error }

  /// Adds a host whose result cannot be read.
  public mutating func add(unreadable name: String, reason: String) {
    seen.insert(name)
    void.append((name, .init(host: name, fate: .unreadable, reason: reason)))
  }

  /// The report of what came in.
  public func report() -> FleetReport {
    // A status may be read after its host's result, and a whole result after a partial one.
    let isRepeated = { [places] (host: FleetReport.Absent) in places[host.host] != nil }
    var absent = void.filter { !isRepeated($0.host) }.map { file, host in
      FleetReport.Absent(
        host: host.host, fate: host.fate, exitStatus: statuses[file]?.exitStatus, reason: host.reason)
    }
    for host in (order + statuses.keys.sorted()).uniqued where !seen.contains(host) {
      absent.append(.init(host, statuses[host], reason: errors[host]))
    }
    let sorted = groups.sorted { ($1.value.count, $0.key.facts.joined()) < ($0.value.count, $1.key.facts.joined()) }
    let classes = sorted.enumerated().map { number, group in
      group.value.closed(as: Self.name(of: number), by: facts, version: version)
    }
    return FleetReport(
      schemaVersion: FleetReport.currentSchemaVersion, kind: "fleetReport",
      asked: places.count + absent.count, measured: places.count, absent: absent,
      superseded: superseded + void.filter { isRepeated($0.host) }.map(\.file),
      classBy: facts, classes: classes,
      pool: FleetReport.Pool(classes))
  }

  /// The name of a class: A to Z, then AA, AB and so on.
  private static func name(of number: Int) -> String {
    let letter = String(UnicodeScalar(UInt8(ascii: "A") + UInt8(number % 26)))
    return number < 26 ? letter : name(of: number / 26 - 1) + letter
  }
}

extension FleetReport.Absent {
  /// A host without a result, by the status that it left, if any.
  fileprivate init(_ host: String, _ status: HostStatus?, reason: String?) {
    guard let status else {
      self.init(host: host, fate: .missing, reason: reason)
      return
    }
    let fate: Fate =
      switch status.exitStatus {
      case 0: .missing
      case 69: .unavailable
      case 75: .timedOut
      default: .failed
      }
    self.init(
      host: host, fate: fate, exitStatus: status.exitStatus,
      reason: reason ?? (status.exitStatus == 0 ? "it ended well, and its result is not there" : nil))
  }
}
