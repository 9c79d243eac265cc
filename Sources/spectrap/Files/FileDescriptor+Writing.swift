// Writes everything, to non-blocking descriptors too: the parent process may have left O_NONBLOCK on the pipe that is
// standard output.
// Facts: write(2), poll(2); full(4).

import CHost
import Glibc
import SystemPackage

extension FileDescriptor {
  /// Writes all the bytes, and waits while the descriptor takes no more.
  ///
  /// - Throws: `Errno` when a write fails for another reason.
  func writeWhole(_ bytes: [UInt8]) throws(Errno) {
    var rest = bytes[...]
    while !rest.isEmpty {
      // Safe: the kernel reads the bytes, which live as long as the call.
      let written = unsafe rest.withUnsafeBytes { unsafe Glibc.write(rawValue, $0.baseAddress, $0.count) }
      if written >= 0 {
        rest = rest.dropFirst(written)
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        var wish = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
        // Safe: there is one structure, this call's own.
        _ = unsafe poll(&wish, 1, -1)
      case let code: throw Errno(rawValue: code)
      }
    }
  }
}

extension FileDescriptor {
  /// /dev/full, the device that is always full: major number 1, minor number 7.
  private static let full = dev_t(1 << 8 | 7)

  /// Checks that it is open for writing, and that its file system or device is not full.
  ///
  /// - Throws: `Errno`.
  func checkForWriting() throws(Errno) {
    let flags = fcntl(rawValue, F_GETFL)
    guard flags >= 0 else { throw Errno(rawValue: errno) }
    guard flags & O_ACCMODE != O_RDONLY, flags & chost_o_path == 0 else { throw .badFileDescriptor }
    let status = try Stat(self)
    if status.type == .characterSpecial, status.rawValue.st_rdev == Self.full { throw .noSpace }
    var space = statvfs()
    // Safe: the structure is this call's own.
    if status.type == .regular, unsafe fstatvfs(rawValue, &space) == 0, space.f_blocks > 0, space.f_bfree == 0 {
      throw .noSpace
    }
  }
}
