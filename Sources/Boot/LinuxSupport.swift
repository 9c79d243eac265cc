// Requirements of a Linux kernel that not every KVM meets.
// Facts: Linux arch/x86/kernel/cpu/common.c (init_speculation_control: one bit of CPUID stands for IBRS and IBPB),
// arch/x86/kernel/alternative.c (int3_selftest), arch/x86/entry/entry_64.S (SYSCALL is the only entry of 64-bit user
// mode).

import Experiments
public import Hypervisor

/// Whether a host can run Linux kernels as guests.
public enum LinuxSupport {
  /// The reason why it cannot, as a sentence; nil if it can.
  ///
  /// A small guest tries SYSCALL.
  ///
  /// - Throws: The errors of making a machine, and `ExperimentError.unproved` when the guest could not be run.
  public static func proveRefusal(on kvm: borrowing KVM) throws -> String? {
    let proof = try EntryProof.prove(.syscall, on: kvm).made()
    return proof.works ? nil : BootableKind.linuxRefusal(seen: proof.seen)
  }

  /// The command line of every guest: the console is the serial port, a panic or a reset ends the machine, there is no
  /// PCI and no delay port, and the frequency of the TSC is given.
  static func commandLine(tscKilohertz: Int?, appending text: String) -> String {
    var words = ["console=ttyS0,115200", "panic=-1", "reboot=t", "nokaslr", "pci=off", "io_delay=none"]
    if let tscKilohertz { words += ["tsc=reliable", "tsc_early_khz=\(tscKilohertz)"] }
    if !text.isEmpty { words.append(text) }
    return words.joined(separator: " ")
  }

  /// Why a kernel with this contract would fault at its first barrier; nil if it would not.
  static func barrierRefusal(contract: GuestContract, offered: CPUIDModel) -> String? {
    guard contract.cpuid.has(.specCtrl), !offered.has(.specCtrl), !offered.has(.amdIBPB) else { return nil }
    return "under this policy its CPUID has the bit SPEC_CTRL, which promises IBPB as well, and this host has no IBPB: "
      + "the kernel's first write of IA32_PRED_CMD (0x49) would fault and stop it. --drop-pred-cmd drops such writes, which "
      + "leaves the guest without its barriers; --hide SPEC_CTRL hides the bit"
  }
}
