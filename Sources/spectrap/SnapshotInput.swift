// A snapshot's file as input: read by its header, so that no file makes the program take more memory than the header
// may promise.

import Experiments
import Hypervisor
import Migration
import SystemPackage

enum SnapshotInput {
  /// Reads a snapshot.
  ///
  /// Throws `Failure` when there is no such file, or it is not a whole snapshot of this version.
  static func read(_ path: FilePath) throws -> ExperimentSnapshot {
    let input = try Input(path)
    do {
      let head = try input.read(SnapshotHeader.size)
      let header = try SnapshotHeader(head)
      // One byte more than there should be, to see that it is not there.
      return try ExperimentSnapshot(decoding: head + (try input.read(header.fileLength - head.count + 1)))
    } catch let error as SnapshotError {
      throw Failure(status: .dataError, message: "\(input.name): \(error)")
    }
  }
}
