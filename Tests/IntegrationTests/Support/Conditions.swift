// What a test needs of the host. A test whose host lacks it is skipped and says why, except that a host which must have
// KVM (SPECTRAP_REQUIRE_KVM=1, set where the tests run unattended) fails without it.

import Experiments
import Glibc
import Hypervisor
import Testing

enum TestHost {
  /// Why KVM cannot be used here; nil when it can.
  static let problem: String? = {
    do { _ = try KVM() } catch { return "\(error)" }
    return nil
  }()

  static let mustHaveKVM: Bool = {
    guard let value = unsafe getenv("SPECTRAP_REQUIRE_KVM") else { return false }
    return unsafe String(cString: value) == "1"
  }()

  static let vendor = VendorModule().kind

  static func proof(of msr: MSR) -> RegisterProof? {
    guard let kvm = try? KVM() else { return nil }
    return try? RegisterProof.prove(msr, on: kvm)
  }

  static func has(_ capability: Capability) -> Bool {
    guard let kvm = try? KVM() else { return false }
    return (try? kvm.has(capability)) ?? false
  }

  /// An MSR number that no processor has and no KVM invents.
  static let missingMSR = MSR(0x474f_4f00)
  /// Addresses in the two halves of memory that no processor reaches.
  static let nonCanonical: UInt64 = 0x8000_0000_0000_0000
}

extension Trait where Self == ConditionTrait {
  /// Runs the test where KVM can be used.
  static var needsKVM: Self {
    .enabled(if: TestHost.problem == nil, "needs /dev/kvm: \(TestHost.problem ?? "it is there")")
  }

  /// Runs the test where KVM has a capability.
  static func needs(_ capability: Capability) -> Self {
    .enabled(if: TestHost.has(capability), "needs \(capability)")
  }

  /// Runs the test where a vCPU proves to hold a value of each of these MSRs.
  static func holds(_ msrs: MSR...) -> Self {
    .enabled("needs a KVM that holds \(msrs)") { msrs.allSatisfy { TestHost.proof(of: $0)?.isHeld == true } }
  }

  /// Runs the test where KVM checks the reasons for MSR exits: since Linux 6.1.
  static var needsValidatedReasons: Self {
    let release = (HostKernel().release ?? "").split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap { Int($0) }
    return .enabled(if: !release.lexicographicallyPrecedes([6, 1]), "needs Linux 6.1, which checks the reasons")
  }

  /// Runs the test where KVM refuses an MSR that does not exist, which kvm.ignore_msrs changes.
  static var missingMSRIsRefused: Self {
    .enabled(if: TestHost.proof(of: TestHost.missingMSR) == .unreadable, "needs a KVM without ignore_msrs")
  }
}
