// Writing everything, also to a descriptor that does not wait. Whoever started the program may have left O_NONBLOCK on
// the pipe that is its standard output.
// Facts: write(2), poll(2).

import Glibc
import SystemPackage

extension FileDescriptor {
  /// Writes all the bytes, waiting where the descriptor takes no more at the moment.
  ///
  /// Throws `Errno` when a write fails for another reason.
  func writeWhole(_ bytes: [UInt8]) throws(Errno) {
    var rest = bytes[...]
    while !rest.isEmpty {
      // Safe: the kernel reads the bytes, which are there for the length of the call.
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
