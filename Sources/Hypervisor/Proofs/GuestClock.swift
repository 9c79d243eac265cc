// How fast the time-stamp counter of guests runs on a host, and whether its KVM can give them another rate.
// Facts: KVM API document, sections 4.55 (KVM_SET_TSC_KHZ) and 4.56 (KVM_GET_TSC_KHZ), 8 (KVM_CAP_TSC_CONTROL); Linux
// arch/x86/kvm/x86.c (set_tsc_khz: without control over the counter KVM takes a higher rate and catches up at exits,
// which is no rate; tsc_tolerance_ppm, 250 by default: within that no difference is made).

import CKVM
import SystemPackage

/// The clock that a host gives guests.
public struct GuestClock: Equatable, Codable, Sendable {
  /// The rate of a guest's time-stamp counter where nothing else is asked for, in kHz.
  public var kilohertz: Int
  /// Whether KVM was proved to give a guest another rate.
  public var canScale: Bool

  /// A clock of this rate.
  public init(kilohertz: Int, canScale: Bool) {
    self.kilohertz = kilohertz
    self.canScale = canScale
  }

  /// What KVM and its users take for the same rate, in parts per million.
  public static let tolerance = 250

  /// Whether a guest that has run at this rate in kHz notices no difference at the other.
  public static func isSame(_ one: Int, _ other: Int) -> Bool {
    guard one > 0, other > 0, one < 1 << 40, other < 1 << 40 else { return false }
    return abs(one - other) * 1_000_000 <= tolerance * min(one, other)
  }

  /// Whether a guest that has run at this rate in kHz goes on at it here.
  public func gives(_ rate: Int) -> Bool { canScale || Self.isSame(rate, kilohertz) }
}

extension GuestClock {
  /// The clock of this host's guests, by asking a vCPU; nil where KVM has none to tell.
  ///
  /// - Throws: `KVMError` when KVM has no vCPU for that, or fails to tell.
  public static func prove(on kvm: borrowing KVM) throws(KVMError) -> GuestClock? {
    let vm = try kvm.makeVM()
    let cpu = try vm.makeVCPU()
    guard let rate = try cpu.tscFrequency() else { return nil }
    // A rate below the processor's own: that is what only hardware can give.
    let other = rate / 5 * 4
    let isOffered = try kvm.value(of: .tscControl) > 0
    let isTaken = isOffered ? try cpu.takesTSCFrequency(other) : false
    let canScale = isTaken ? try cpu.tscFrequency() == other : false
    withExtendedLifetime(vm) {}
    return GuestClock(kilohertz: rate, canScale: canScale)
  }
}

extension VirtualCPU {
  /// Makes sure that a KVM which scales gives this vCPU's guest the rate in kHz that it had elsewhere.
  ///
  /// - Throws: `VirtualCPUStateError.notHeld` when it does not: the rate is further away than this processor can scale.
  public func checkRate(_ kilohertz: Int?, on kvm: borrowing KVM) throws(VirtualCPUStateError) {
    let (scales, held): (Bool, Int?)
    do { (scales, held) = (try kvm.value(of: .tscControl) > 0, try tscFrequency()) } catch { throw .kvm(error) }
    guard scales, let kilohertz, let held else { return }
    if GuestClock.isSame(held, kilohertz) { return }
    throw .notHeld("rate of the time-stamp counter (\(held) kHz for \(kilohertz) kHz)")
  }
}
