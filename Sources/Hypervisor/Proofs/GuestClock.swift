// How fast guests' time-stamp counters run on a host, and whether its KVM can give them another rate.
// Facts: KVM API document, sections 4.55 (KVM_SET_TSC_KHZ) and 4.56 (KVM_GET_TSC_KHZ), 8 (KVM_CAP_TSC_CONTROL); Linux
// arch/x86/kvm/x86.c (set_tsc_khz: a KVM that cannot scale accepts a higher rate and catches up at exits;
// tsc_tolerance_ppm, 250 by default: a smaller difference is ignored).

import CKVM
import SystemPackage

/// The clock of a host's guests.
public struct GuestClock: Equatable, Codable, Sendable {
  /// The default rate of a guest's time-stamp counter in kHz.
  public let kilohertz: Int
  /// Whether KVM was proved to give a guest another rate.
  public let canScale: Bool

  /// A clock of this rate.
  public init(kilohertz: Int, canScale: Bool) {
    self.kilohertz = kilohertz
    self.canScale = canScale
  }

  /// The largest difference, in parts per million, between rates that count as the same.
  public static let tolerance = 250

  /// Whether two rates in kHz are the same for a guest.
  public static func isSame(_ one: Int, _ other: Int) -> Bool {
    guard one > 0, other > 0, one < 1 << 40, other < 1 << 40 else { return false }
    return abs(one - other) * 1_000_000 <= tolerance * min(one, other)
  }

  /// Whether a guest can keep this rate in kHz here.
  public func gives(_ rate: Int) -> Bool { canScale || Self.isSame(rate, kilohertz) }
}

extension GuestClock {
  /// Reads this host's clock from a new vCPU; returns nil if KVM does not report one.
  ///
  /// - Throws: `KVMError` when KVM fails.
  public static func prove(on kvm: borrowing KVM) throws(KVMError) -> GuestClock? {
    let vm = try kvm.makeVM()
    let cpu = try vm.makeVCPU()
    guard let rate = try cpu.tscFrequency() else { return nil }
    // A rate below the processor's own needs scaling in hardware.
    let other = rate / 5 * 4
    let isOffered = try kvm.value(of: .tscControl) > 0
    let isTaken = isOffered ? try cpu.setTSCFrequency(other) : false
    let canScale = isTaken ? try cpu.tscFrequency() == other : false
    withExtendedLifetime(vm) {}
    return GuestClock(kilohertz: rate, canScale: canScale)
  }
}

extension VirtualCPU {
  /// Checks that this vCPU has the rate in kHz that its guest had elsewhere, if KVM scales.
  ///
  /// - Throws: `VirtualCPUStateError.notHeld` when it has not: the processor cannot scale that far.
  public func checkRate(_ kilohertz: Int?, on kvm: borrowing KVM) throws(VirtualCPUStateError) {
    let (scales, held): (Bool, Int?)
    do { (scales, held) = (try kvm.value(of: .tscControl) > 0, try tscFrequency()) } catch { throw .kvm(error) }
    guard scales, let kilohertz, let held else { return }
    if GuestClock.isSame(held, kilohertz) { return }
    throw .notHeld("rate of the time-stamp counter (\(held) kHz for \(kilohertz) kHz)")
  }
}
