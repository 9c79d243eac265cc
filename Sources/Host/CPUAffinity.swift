// Which processor a thread runs on.
// Facts: sched_setaffinity(2).

import CHost
public import SystemPackage

/// The processors that a thread can be bound to.
public enum CPUAffinity {
  /// The processors that this thread may run on, ascending; empty if the kernel does not report them.
  public static var allowed: [Int] {
    var mask = [UInt8](repeating: 0, count: CPUList.maximumCount / 8)
    // Safe: the kernel writes at most the buffer's size, and the array owns it during the closure.
    let filled = unsafe mask.withUnsafeMutableBytes {
      unsafe chost_sched_getaffinity(0, UInt($0.count), $0.baseAddress)
    }
    return (0..<max(0, filled) * 8).filter { mask[$0 / 8] >> UInt8($0 % 8) & 1 == 1 }
  }

  /// Binds the calling thread to one processor.
  ///
  /// - Throws: `Errno` when it may not run there.
  public static func bind(to cpu: Int) throws(Errno) {
    guard (0..<CPUList.maximumCount).contains(cpu) else { throw .invalidArgument }
    var mask = [UInt8](repeating: 0, count: CPUList.maximumCount / 8)
    mask[cpu / 8] = 1 << UInt8(cpu % 8)
    // Safe: the kernel reads the buffer, which the array owns for the length of the closure.
    let result = unsafe mask.withUnsafeBytes { unsafe chost_sched_setaffinity(0, UInt($0.count), $0.baseAddress) }
    guard result == 0 else { throw Errno(rawValue: CInt(-result)) }
  }
}
