// Observers of a running guest: they time each round trip, trace every exit, or count OUTs.

import CKVM
import Hypervisor
import Measurement
import Synchronization

/// What is observed besides the counts.
public enum Observation: Sendable {
  case nothing
  /// The host cycles of each KVM_RUN, by what ended it.
  case roundTrips
  /// Each exit as one line, at once.
  case trace(@Sendable (String) -> Void)
  /// The number of OUTs, readable from another thread while the guest runs.
  case portOuts(PortOutCount)
}

/// The number of a run's OUTs.
public final class PortOutCount: Sendable {
  private let count = Atomic<UInt64>(0)

  public init() {}

  public var value: UInt64 { count.load(ordering: .relaxed) }

  fileprivate func increment() { count.add(1, ordering: .relaxed) }
}

/// Counts OUTs for another thread.
struct PortOutCounter: ExitObserver {
  let count: PortOutCount

  mutating func willAnswer(_ exit: Exit, of cpu: borrowing VirtualCPU) {
    if case .portOut = exit { count.increment() }
  }
}

/// Times each KVM_RUN with the host's clock, the guest's own time since its last exit included.
struct RoundTripTimer: ExitObserver {
  private var started: UInt64 = 0
  private var elapsed: UInt64 = 0
  private var histograms: [String: CycleHistogram] = [:]

  mutating func willEnter() { started = ckvm_ordered_rdtsc() }
  mutating func didExit(_ reason: UInt32) { elapsed = ckvm_ordered_rdtsc() &- started }

  mutating func willAnswer(_ exit: Exit, of cpu: borrowing VirtualCPU) {
    guard exit != .interrupted else { return }
    histograms[exit.kindName, default: CycleHistogram()].record(elapsed)
  }

  var summaries: [String: CycleSummary] { histograms.compactMapValues(\.summary) }
}

/// Traces each exit as a line of text.
struct ExitTrace: ExitObserver {
  let sink: @Sendable (String) -> Void
  private var number = 0

  init(sink: @escaping @Sendable (String) -> Void) { self.sink = sink }

  mutating func willAnswer(_ exit: Exit, of cpu: borrowing VirtualCPU) {
    // A signal is not an exit of the guest: the trace has as many lines as there are exits.
    guard exit != .interrupted else { return }
    number += 1
    // A trace does not fail: a register that cannot be read is shown as "?".
    let rip = (try? cpu.registers().rip)?.hex ?? "?"
    sink("\(number) rip \(rip) \(exit.text(data: cpu))")
  }
}

extension Exit {
  /// The exit's name, as in `ExitCounters.Kind`.
  fileprivate var kindName: String {
    switch self {
    case .halt: ExitCounters.Kind.halt.name
    case .portOut: ExitCounters.Kind.portOut.name
    case .portIn: ExitCounters.Kind.portIn.name
    case .mmioWrite: ExitCounters.Kind.mmioWrite.name
    case .mmioRead: ExitCounters.Kind.mmioRead.name
    case .readMSR: ExitCounters.Kind.readMSR.name
    case .writeMSR: ExitCounters.Kind.writeMSR.name
    case .interrupted: "interrupted"
    case .other(let reason): ExitCounters.Kind.other(reason).name
    }
  }

  fileprivate func text(data cpu: borrowing VirtualCPU) -> String {
    switch self {
    case .portOut(let access), .portIn(let access):
      return "\(kindName) port \(access.port.hex) size \(access.size) count \(access.count)"
    case .mmioWrite(let access):
      return "\(kindName) \(access.address) length \(access.length) value \(access.value.hex)"
    case .mmioRead(let access): return "\(kindName) \(access.address) length \(access.length)"
    case .readMSR(let access): return "\(kindName) \(access.msr)"
    case .writeMSR(let access): return "\(kindName) \(access.msr) value \(access.value.hex)"
    default: return kindName
    }
  }
}
