// Which kinds of images a host can boot, by its proofs.

public import Measurement

/// The kinds of images that can be booted.
public enum BootableKind: String, CaseIterable, Sendable {
  case linux, multiboot, elf64, flat

  /// One line of description.
  public var summary: String {
    switch self {
    case .linux: "a Linux kernel: bzImage, or 64-bit ELF"
    case .multiboot: "32-bit ELF with a multiboot 1 header, as kvm-unit-tests have"
    case .elf64: "a static 64-bit ELF program with an entry of its own"
    case .flat: "bytes without a header, in real mode"
    }
  }

  /// Whether a host can boot this kind; nil where it was not examined.
  ///
  /// - Parameter syscall: the proof of that kernel entry.
  public func fact(syscall: HostReport.Fact?, hasInterruptControllers: Bool?) -> HostReport.Fact? {
    guard let hasInterruptControllers else { return nil }
    let controllers = HostReport.Fact(
      works: hasInterruptControllers,
      seen: hasInterruptControllers
        ? "this KVM has the interrupt controllers and the timer of a PC"
        : "this KVM has no interrupt controllers or no timer (KVM_CREATE_IRQCHIP, KVM_CREATE_PIT2)")
    guard self == .linux, hasInterruptControllers else { return controllers }
    switch syscall?.works {
    case true: return controllers
    case false: return .init(works: false, seen: Self.linuxRefusal(seen: syscall?.seen ?? ""))
    default: return syscall
    }
  }

  /// Why a host cannot boot Linux, with what a guest saw that tried SYSCALL.
  public static func linuxRefusal(seen: String) -> String {
    "a Linux kernel's user mode enters it by SYSCALL, which does not lead to ring 0 here (\(seen)), and a KVM of this "
      + "kind cannot run the INT3 in ring 0 that the kernel tests itself with"
  }
}
