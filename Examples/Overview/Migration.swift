// The example of the module's overview page, which shows it from the first import on.

import Hypervisor
import Migration

/// Whether a guest that was started where there is IBRS_ALL may go on where there is not.
func mayLeaveIBRSAll(under policy: PolicyName) -> String {
  let plan = MigrationPlan(for: [HostClass.ibrsAll, .ibrs].map(\.offer))
  let row = plan.rows.first { $0.source == "ibrs-all" && $0.destination == "spec-ctrl" && $0.policy == policy }
  return row.map { "\($0.outcome): \($0.reason)" } ?? "no such guest"
}
