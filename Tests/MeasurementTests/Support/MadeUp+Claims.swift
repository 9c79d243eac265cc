import Registers

@testable import Measurement

extension MadeUp {
  /// The verdict on a claim from these cells.
  static func outcome(
    _ claim: BenchReport.Claim, _ cells: [CellRecord], host: HostReport = host()
  ) -> BenchReport.Verdict {
    report(cells, host: host).verdict(on: claim)
  }

  /// A host whose kvm-intel switches the register so; nil for one that does not say.
  static func host(switching mode: String?) -> HostReport {
    var host = host()
    host.specCtrlMode = mode.map { Known($0) }
    return host
  }
}
