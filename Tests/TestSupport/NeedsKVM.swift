// The gate of the tests that run guests.

import Glibc
public import Testing

extension Trait where Self == ConditionTrait {
  /// Runs the test only where /dev/kvm can be used: without it there is no guest to look at.
  ///
  /// With SPECTRAP_REQUIRE_KVM=1 in the environment the test runs in any case, and fails where KVM is missing: so a
  /// machine that is meant to have KVM cannot pass by skipping.
  public static var needsKVM: ConditionTrait {
    .enabled(
      if: isRequired || isUsable,
      "/dev/kvm cannot be opened for reading and writing; load kvm_intel or kvm_amd, or join the group kvm")
  }
}

private let isUsable: Bool = unsafe access("/dev/kvm", R_OK | W_OK) == 0

private let isRequired: Bool =
  if let value = unsafe getenv("SPECTRAP_REQUIRE_KVM") { unsafe String(cString: value) == "1" } else { false }
