// An initramfs: the archive of files that Linux unpacks at boot.
// Facts: Linux Documentation/driver-api/early-userspace/buffer-format.rst (newc).

import Registers

/// A cpio archive in the newc format.
public struct Archive: Sendable {
  /// A file in the archive.
  public enum Entry: Sendable {
    case folder
    /// A program that every user may run.
    case program([UInt8])
    /// A character device.
    case device(major: UInt32, minor: UInt32)
  }

  private var content: [UInt8] = []
  private var count: UInt32 = 0

  /// An empty archive.
  public init() {}

  /// Adds a file at a path without a leading slash.
  public mutating func add(_ path: String, _ entry: Entry) {
    count += 1
    switch entry {
    case .folder: append(path, mode: 0o040755, data: [], device: (0, 0))
    case .program(let bytes): append(path, mode: 0o100755, data: bytes, device: (0, 0))
    case .device(let major, let minor): append(path, mode: 0o020600, data: [], device: (major, minor))
    }
  }

  /// The whole archive.
  public var bytes: [UInt8] {
    var whole = self
    whole.append("TRAILER!!!", mode: 0, data: [], device: (0, 0))
    return whole.content
  }

  private mutating func append(_ path: String, mode: UInt32, data: [UInt8], device: (UInt32, UInt32)) {
    let name = Array(path.utf8) + [0]
    // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
    let fields: [UInt32] = [
      mode == 0 ? 0 : count, mode, 0, 0, 1, 0, UInt32(data.count), 0, 0, device.0, device.1, UInt32(name.count), 0,
    ]
    content += Array("070701".utf8)
    for field in fields { content += Array(field.hexDigits(8).utf8) }
    content += name
    pad()
    content += data
    pad()
  }

  /// Pads to a multiple of 4, where the header and the data must end.
  private mutating func pad() { while !content.count.isMultiple(of: 4) { content.append(0) } }
}
