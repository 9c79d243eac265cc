// The hosts to measure now: all hosts of a fleet, or those without a whole result.

import FoundationEssentials
import Measurement

/// A fleet that is measured.
package struct FleetPlan: Sendable {
  package let folder: FleetFolder
  /// Every host of the fleet.
  package let hosts: [HostName]
  /// The hosts to measure now.
  package let due: [HostName]
  package let command: FleetCommand
  /// Whether hosts use a `spectrap` of their own.
  let isInstalled: Bool
  /// How long each host may measure.
  let timeLimit: Duration

  /// A new fleet, whose order is written.
  ///
  /// - Throws: `FleetError` when the folder does not take it.
  package init(
    hosts: [HostName], command: FleetCommand, folder: FleetFolder, isInstalled: Bool, timeLimit: Duration
  ) throws(FleetError) {
    (self.hosts, due, self.command, self.folder) = (hosts, hosts, command, folder)
    (self.isInstalled, self.timeLimit) = (isInstalled, timeLimit)
    try folder.write(
      FleetOrder(hosts: hosts.map(\.text), command: command.words, began: Date.now.ISO8601Format()))
  }

  /// The hosts without a whole result, of a fleet that has begun.
  ///
  /// - Throws: `FleetError` when the folder has no fleet.
  package init(resuming folder: FleetFolder, isInstalled: Bool, timeLimit: Duration) throws(FleetError) {
    (hosts, command) = try folder.readOrder()
    due = try folder.unmeasured(of: hosts)
    self.folder = folder
    (self.isInstalled, self.timeLimit) = (isInstalled, timeLimit)
  }

  /// The outcomes of all hosts: those that were measured now, and the others as their files say.
  func outcomes(_ ends: [HostName: HostOutcome.End]) -> [HostOutcome] {
    hosts.map { HostOutcome($0, ends[$0] ?? folder.end(of: $0) ?? .missing(reason: "its status file is gone")) }
  }

  /// A name for a folder, with the time: `fleet-2026-11-30T235959Z`.
  package static var newName: String {
    "fleet-\(Date.now.ISO8601Format())".replacing(":", with: "")
  }
}
