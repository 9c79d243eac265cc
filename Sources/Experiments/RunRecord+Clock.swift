// The fourth witness: compares the guest's time stamps with the host's clock.
//
// All samples of a run lie one after the other between its first entry and its last exit, and guest and host read the
// same counter. So the samples together cannot last longer than the run. The offset between the clocks does not matter,
// and the bound has no noise.
// Facts: KVM API document, KVM_SET_TSC_KHZ; Linux arch/x86/kvm/x86.c, kvm_set_tsc_khz (a guest whose rate is within
// tsc_tolerance_ppm of the host's has the host's) and kvm_scale_tsc (each reading is rounded down).

import GuestImages
import Hypervisor

/// The rates of the guest's and the host's time-stamp counters.
struct CounterRates: Equatable {
  /// In kHz, as set in KVM.
  let guest: Int
  let host: Int
  /// The difference of the rates that KVM ignores, in millionths of the host's rate.
  var tolerance = defaultTolerance

  /// The default of KVM's module.
  private static let defaultTolerance = 250

  /// The parameter of KVM's module.
  static func toleranceOfKVM(files: HostFiles = HostFiles()) -> Int {
    files.value("sys/module/kvm/parameters/tsc_tolerance_ppm").flatMap { UInt16($0) }.map(Int.init) ?? defaultTolerance
  }

  /// The most ticks by which the guest's counter can rise; nil where that exceeds 64 bits.
  ///
  /// - Parameters:
  ///   - hostTicks: by how many ticks the host's counter rises meanwhile.
  ///   - readings: how often the guest reads its counter.
  func mostTicks(for hostTicks: UInt64, readings: Int) -> UInt64? {
    guard guest > 0, host > 0 else { return hostTicks }
    let isScaled = guest > host || (host - guest) * 1_000_000 > host * tolerance
    guard isScaled else { return hostTicks }
    let product = hostTicks.multipliedFullWidth(by: UInt64(guest))
    guard product.high < UInt64(host) else { return nil }
    let (ticks, overflow) = UInt64(host).dividingFullWidth(product).quotient.addingReportingOverflow(UInt64(readings))
    return overflow ? nil : ticks
  }
}

extension RunRecord {
  /// Why the guest's time stamps are wrong, without a full stop; nil where no contradiction is known.
  public var clockDoubt: String? { doubtOfLength ?? doubtOfShortness }

  /// More than a guest's start takes, in ticks of the host's clock.
  private static let mostOfStart: UInt64 = 100_000_000

  /// What an image from elsewhere leaves out of its samples.
  ///
  /// By the ABI it does nothing long outside of them. Only what no start and no disturbance explains is a doubt.
  private var doubtOfShortness: String? {
    guard experiment.image != nil, completed, rates == nil else { return nil }
    let timed = samples.reduce(0) { $0 + $1.ticks }
    let waited = disturbance.seconds > 0 ? min(1, disturbance.waited / disturbance.seconds) : 0
    let ran = UInt64(Double(hostCyclesHere) * (1 - waited))
    guard ran > timed, ran - timed > Self.mostOfStart, (ran - timed) / 2 >= timed / 2 else { return nil }
    return
      "its samples last \(timed) ticks in all, and \(ran) went by on the host's clock while it ran: most of its time is "
      + "in none of them"
  }

  /// A sample that is longer than the whole run.
  private var doubtOfLength: String? {
    let own = samples.dropFirst(firstOwnSample)
    let most =
      rates.map { $0.mostTicks(for: hostCyclesHere, readings: 2 * own.count) } ?? hostCyclesHere
    guard let most else { return nil }
    var rest = most
    for sample in own {
      guard sample.ticks <= rest else {
        return
          "its samples last longer than the \(most) ticks of the host's clock from its first entry to its last exit"
      }
      rest -= sample.ticks
    }
    return nil
  }
}
