// The host's own MSRs, if the kernel allows reading them: the only proof of what SPEC_CTRL holds outside a guest.
//
// Facts: msr(4): /dev/cpu/N/msr, eight bytes little-endian at the register's number. Needs the msr module and
// CAP_SYS_RAWIO; a register that the CPU lacks is EIO.

public import Registers

/// The host's model-specific registers.
public enum HostMSR {
  /// The value of a register on one logical CPU; nil if it cannot be read.
  public static func read(_ msr: MSR, onCPU cpu: Int = 0, files: HostFiles = HostFiles()) -> UInt64? {
    guard let bytes = files.bytes("dev/cpu/\(cpu)/msr", at: Int64(msr.rawValue), limit: 8), bytes.count == 8 else {
      return nil
    }
    return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
