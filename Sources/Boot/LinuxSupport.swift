// What a Linux kernel needs of a host that not every KVM gives its guests.
// Facts: Linux arch/x86/kernel/cpu/common.c (init_speculation_control: one bit of CPUID stands for IBRS and IBPB),
// arch/x86/kernel/alternative.c (int3_selftest), arch/x86/entry/entry_64.S (SYSCALL is the only entry of 64-bit user
// mode).

import Experiments
public import Hypervisor

/// Whether a host's guests can be Linux kernels.
public enum LinuxSupport {
  /// Why not, in a sentence; nil where they can.
  ///
  /// A tiny guest that tries SYSCALL finds it out.
  ///
  /// - Throws: What making a machine throws, and `ExperimentError.unproved` when the guest could not be run.
  public static func proveRefusal(on kvm: borrowing KVM) throws -> String? {
    let proof = try EntryProof.prove(.syscall, on: kvm).made()
    return proof.works ? nil : BootableKind.linuxRefusal(seen: proof.seen)
  }

  /// The kernel's words that every guest gets: its console is the serial port, it ends with a panic or a reset that
  /// can be seen, there is neither PCI nor a delay port, and its clock's rate is known.
  static func commandLine(tscKilohertz: Int?, appending text: String) -> String {
    var words = ["console=ttyS0,115200", "panic=-1", "reboot=t", "nokaslr", "pci=off", "io_delay=none"]
    if let tscKilohertz { words += ["tsc=reliable", "tsc_early_khz=\(tscKilohertz)"] }
    if !text.isEmpty { words.append(text) }
    return words.joined(separator: " ")
  }

  /// Why a kernel that is told this would die of its first barrier; nil where it does not.
  static func barrierRefusal(told: GuestContract, offered: CPUIDModel) -> String? {
    guard told.cpuid.has(.specCtrl), !offered.has(.specCtrl), !offered.has(.amdIBPB) else { return nil }
    return "under this policy it is told SPEC_CTRL, and that bit of CPUID promises IBPB as well, which this host does "
      + "not have: the kernel's first write of IA32_PRED_CMD (0x49) would fault, and the kernel die. --drop-pred-cmd "
      + "drops such writes, which leaves the guest without its barriers; --hide SPEC_CTRL tells it nothing"
  }
}
