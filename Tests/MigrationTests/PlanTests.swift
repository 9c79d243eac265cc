// The matrix of hosts and policies: complete, and the same answers as the decision that it is made of.

import FoundationEssentials
import Hypervisor
import Migration
import TestSupport
import Testing

@Suite("The migration plan")
struct PlanTests {
  private let plan = MigrationPlan(for: HostClass.allCases.map(\.offer))

  @Test("has a row for each source, destination and policy")
  func complete() {
    #expect(plan.hosts == HostClass.allCases.map(\.rawValue))
    #expect(plan.rows.count == plan.hosts.count * plan.hosts.count * PolicyName.allCases.count)
    #expect(Set(plan.rows.map { "\($0.source) \($0.destination) \($0.policy)" }).count == plan.rows.count)
    #expect(plan.rows.allSatisfy { !$0.reason.isEmpty })
  }

  @Test("decides as the decision does")
  func consistent() throws {
    for row in plan.rows {
      let source = try #require(HostClass(rawValue: row.source)).offer
      let destination = try #require(HostClass(rawValue: row.destination)).offer
      guard let guest = MovingGuest(startedAt: source, under: row.policy) else {
        #expect(row.outcome == .notStarted && row.protectionAtSource == nil)
        continue
      }
      let decision = Decision(of: guest, to: destination, under: row.policy)
      #expect(row.outcome.rawValue == decision.text && row.reason == decision.reason)
      #expect((row.protectionAtDestination == nil) == (row.outcome != .allowed))
    }
  }

  @Test("says the thread's rules: up is allowed, down is not, and across from IBRS_ALL is unprotected")
  func rules() {
    func outcomes(_ source: HostClass, _ destination: HostClass) -> Set<MigrationPlan.Outcome> {
      Set(plan.rows.filter { $0.source == source.rawValue && $0.destination == destination.rawValue }.map(\.outcome))
    }
    #expect(outcomes(.ibrs, .ibrsAll) == [.allowed])
    #expect(outcomes(.ibrsAll, .ibrs) == [.unprotected])
    for source in [HostClass.ibrs, .ibrsAll] { #expect(outcomes(source, .none) == [.refused]) }
    for destination in HostClass.allCases { #expect(outcomes(.none, destination) == [.allowed, .notStarted]) }
  }

  @Test("has the same keys in every row of its JSON")
  func json() throws {
    let json = try JSONValue(encoding: plan)
    #expect(json["kind"] == .string("migrationPlan") && json["schemaVersion"]?.count == 1)
    let keys = Set((json["rows"]?.elements ?? []).map { $0.members.keys.sorted() })
    #expect(
      keys == [
        [
          "destination", "outcome", "policy", "protectionAtDestination", "protectionAtSource", "reason", "source",
          "warnings",
        ]
      ])
  }
}
