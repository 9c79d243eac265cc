// A snapshot's file as input: read by its header, so that no file makes the program take more memory than the header may promise.

import Experiments
import Hypervisor
import Migration
import SystemPackage

enum SnapshotInput {
  /// Reads a snapshot.
  ///
  /// Throws `Failure` when there is no such file, or it is not a whole snapshot of this version.
  static func read(_ path: String) throws -> ExperimentSnapshot {
    do {
      let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
      return try file.closeAfter {
        let head = try bytes(SnapshotHeader.size, of: file)
        let header = try SnapshotHeader(head)
        // One byte more than there should be, to see that it is not there.
        return try ExperimentSnapshot(decoding: head + (try bytes(header.fileLength - head.count + 1, of: file)))
      }
    } catch let error as Errno {
      throw Failure(
        status: error == .permissionDenied ? .noPermission : .noInput, message: "\(path) cannot be read: \(error)")
    } catch let error as SnapshotError {
      throw Failure(status: .dataError, message: "\(path): \(error)")
    }
  }

  /// At most `count` bytes, fewer where the file ends.
  private static func bytes(_ count: Int, of file: FileDescriptor) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let part = unsafe try [UInt8](unsafeUninitializedCapacity: min(count - bytes.count, 1 << 20)) { buffer, filled in
        // Safe: the file is read into the buffer, and as many bytes count as were read.
        filled = try unsafe file.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
      if part.isEmpty { break }
      bytes += part
    }
    return bytes
  }
}

extension ExperimentSnapshot {
  /// Decides whether the guest may go on at this host under a policy; what it loses is a warning from then on.
  ///
  /// Throws `Failure` when it may not, or not without that being accepted.
  mutating func admit(at host: HostOffer, under policy: PolicyName, acceptingUnprotected: Bool) throws {
    let moving = try MovingGuest(self)
    for warning in Decision.warnings(of: moving, at: host) { guest.warn(warning) }
    switch Decision(of: moving, to: host, under: policy) {
    case .allowed: return
    case .refused(let reason):
      throw Failure(status: .unavailable, message: "the guest may not go on here: \(reason)")
    case .unprotected(let reason):
      guard acceptingUnprotected else {
        throw Failure(status: .unavailable, message: "the guest may not go on here: \(Decision.advice(reason))")
      }
      guest.warn(Decision.warning(reason))
    }
  }
}
