// The result of `spectrap fleet merge`. Documented in docs/fleet.md.

/// The results of many hosts, by class.
public struct FleetReport: Codable, Equatable, Sendable {
  /// The version of this schema.
  public static let currentSchemaVersion = 1

  public let schemaVersion: Int
  public let kind: String
  /// How many hosts there should be: those that were asked, and those of which there is a result besides.
  public let asked: Int
  /// How many were measured, and stand in a class.
  public let measured: Int
  /// The others.
  public let absent: [Absent]
  /// Files that say nothing here, because a later result of the same host is there.
  public let superseded: [String]
  /// The facts by which the classes were made.
  public let classBy: [ClassFact]
  /// The classes, the largest first.
  public let classes: [FleetClass]
  /// What guests may be told on all of them.
  public let pool: Pool

  /// A host without a result that counts.
  public struct Absent: Codable, Equatable, Sendable {
    public let host: String
    public let fate: Fate
    /// The status with which the program ended there; null where it is not known.
    @Nullable public private(set) var exitStatus: Int?
    /// Why, in a sentence without a full stop; null where nothing says it.
    @Nullable public private(set) var reason: String?

    /// What became of it.
    public enum Fate: String, Codable, CaseIterable, Sendable {
      /// It was stopped before everything was measured.
      case partial
      /// The host cannot do it: status 69.
      case unavailable
      /// It took too long: status 75.
      case timedOut
      /// It ended with another status.
      case failed
      /// Its result cannot be read.
      case unreadable
      /// Its clock cannot be believed.
      case doubted
      /// Nothing came back.
      case missing
    }

    init(host: String, fate: Fate, exitStatus: Int? = nil, reason: String? = nil) {
      self.host = host
      self.fate = fate
      self.exitStatus = exitStatus
      self.reason = reason
    }
  }

  /// What the guests of a pool of all classes may be told of speculation control.
  public struct Pool: Codable, Equatable, Sendable {
    /// What KVM offers guests in every class.
    public let told: [String]
    /// What other classes offer and a class does not, by its name.
    public let costs: [String: [String]]
    /// Classes of which it is not known.
    public let unknown: [String]
  }
}

extension FleetReport.Pool {
  init(_ classes: [FleetClass]) {
    let offers = classes.map { (name: $0.name, offer: $0.report.host.speculation.kvm?.offered) }
    let known = offers.compactMap { offer in offer.offer.map { (name: offer.name, offer: Set($0)) } }
    let all = SpeculationView.names.filter { name in known.contains { $0.offer.contains(name) } }
    told = all.filter { name in known.allSatisfy { $0.offer.contains(name) } }
    costs = Dictionary(
      known.map { host in (host.name, all.filter { !host.offer.contains($0) }) }, uniquingKeysWith: { one, _ in one }
    ).filter { !$0.value.isEmpty }
    unknown = offers.filter { $0.offer == nil }.map(\.name)
  }
}

extension SpeculationView {
  private static let controls: [(name: String, isThere: @Sendable (Self) -> Bool)] = [
    ("IBRS", { $0.ibrs }), ("STIBP", { $0.stibp }), ("SSBD", { $0.ssbd }), ("IBPB", { $0.ibpb }),
    ("IBRS_ALL", { $0.ibrsAll == true }),
    ("BHI_DIS_S", { $0.bhiCtrl == true }), ("RRSBA_DIS", { $0.rrsbaCtrl == true }),
    ("IPRED_DIS", { $0.ipredCtrl == true }), ("PSFD", { $0.psfd == true }),
    ("automatic IBRS", { $0.automaticIBRS == true }),
  ]

  /// The names of everything that may be offered.
  fileprivate static var names: [String] { controls.map(\.name) }

  /// The names of what is offered here.
  fileprivate var offered: [String] { Self.controls.filter { $0.isThere(self) }.map(\.name) }
}
