// The example of the module's overview page, which shows it from the first import on.

import Rendering

/// A table under a heading: as lines for a terminal of 40 columns, and as a page in Markdown.
func twoForms(of costs: [(policy: String, cycles: Double)]) -> (text: String, markdown: String) {
  var table = Table(right: [1])
  table.add("policy", "cycles")
  for cost in costs { table.add(cost.policy, "\(cost.cycles)") }
  let document = Document(title: "Costs", [Document.Section("Cycles per kernel entry", [.table(table)])])
  return (document.text(width: 40), document.markdown)
}
