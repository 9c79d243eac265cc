// Which images a host can boot, from what was proved of it.

import Boot
import Measurement

extension HostReport {
  /// The kinds of images, and whether guests of this host can be such; nil where nobody asked it.
  static func bootable(entries: [String: Fact]?, hasInterruptControllers: Bool?) -> [(
    name: String, summary: String, fact: Fact?
  )] {
    let controllers = hasInterruptControllers.map { has in
      Fact(
        works: has,
        seen: has
          ? "this KVM has the interrupt controllers and the timer of a PC"
          : "this KVM has no interrupt controllers or no timer (KVM_CREATE_IRQCHIP, KVM_CREATE_PIT2)")
    }
    let linux = entries?["syscall"].map { syscall in
      switch syscall.works {
      case true: controllers ?? syscall
      case false: Fact(works: false, seen: LinuxSupport.refusal(seen: syscall.seen))
      default: syscall
      }
    }
    return [
      ("linux", "a Linux kernel: bzImage, or 64-bit ELF", linux),
      ("multiboot", "32-bit ELF with a multiboot 1 header, as kvm-unit-tests have", controllers),
      ("elf64", "a static 64-bit ELF program with an entry of its own", controllers),
      ("flat", "bytes without a header, in real mode", controllers),
    ]
  }
}
