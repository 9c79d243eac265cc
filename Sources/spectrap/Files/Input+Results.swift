// Results that the program reads: the JSON of `probe`, `bench` and `contract`, and snapshots.

import Experiments
import FoundationEssentials
import Hypervisor
import Measurement
import Migration
import Rendering
import SystemPackage

extension Input {
  /// The longest JSON that is read, in MiB; the result of a day's benchmark is shorter.
  private static let longest = 256

  /// Decodes a file's JSON, after checking its schema version.
  ///
  /// - Parameter what: what the file should be, for messages.
  /// - Throws: `Failure` when it cannot be read, or is something else.
  static func json<Value: Decodable>(_ path: FilePath, _ what: String, version: Int, kind: String? = nil) throws
    -> Value
  {
    let input = try Input(path)
    let data = Data(try input.read(longest << 20 + 1))
    let path = input.name
    guard data.count <= longest << 20 else {
      throw Failure(status: .dataError, message: "\(path) is no \(what): it is longer than \(longest) MiB")
    }
    if let reason = Head.problem(in: data, kind: kind) {
      throw Failure(status: .dataError, message: "\(path) is no \(what): \(reason)")
    }
    let found = try? JSONDecoder().decode(Head.self, from: data).schemaVersion
    guard found == version else {
      throw Failure(
        status: .dataError,
        message: "\(path) has \(found.map { "schema version \($0)" } ?? "no schema version"), and this program reads "
          + "version \(version): write the file with this program, or read it with the one that wrote it")
    }
    do { return try JSONDecoder().decode(Value.self, from: data) } catch {
      throw Failure(
        status: .dataError,
        message: "\(path) is no \(what), or damaged: \((error as? DecodingError)?.text ?? "\(error)")")
    }
  }
}

/// The keys that every result has.
private struct Head: Decodable {
  var schemaVersion: Int?
  var kind: String?

  /// Why the data are no result of this kind; nil when they are.
  static func problem(in data: Data, kind: String?) -> String? {
    guard !data.isEmpty else { return "it is empty" }
    let head: Head
    do { head = try JSONDecoder().decode(Head.self, from: data) } catch DecodingError.typeMismatch(_, let context) {
      return context.codingPath.isEmpty ? "it is JSON, but no object" : "its schema version or kind is of another type"
    } catch { return "it is not JSON" }
    guard head.kind != kind else { return nil }
    return head.kind.map { "it says that it is of the kind \"\($0)\"" } ?? "it does not say of which kind it is"
  }
}

extension HostOffer {
  /// The offer in a file of `spectrap probe --json`.
  ///
  /// The host gets the file's name without its last extension.
  ///
  /// - Throws: `Failure` when the file cannot be read, is something else, or was made without KVM.
  static func read(_ path: FilePath) throws -> HostOffer {
    let document: HostDocument = try Input.json(
      path, "result of `spectrap probe --json`", version: RunReport.currentSchemaVersion)
    guard var offer = document.offer else {
      throw Failure(
        status: .dataError,
        message: "\(path) does not say what the host offers guests: it was written where KVM could not be used")
    }
    guard offer.isPlain else {
      throw Failure(status: .dataError, message: "\(path) contains text that cannot be printed")
    }
    offer.name = path == "-" ? "standard input" : path.stem ?? "\(path)"
    return offer
  }
}

extension PoolContract {
  /// The contract in a file of `spectrap contract`.
  ///
  /// - Throws: `Failure` when the file cannot be read or is something else.
  static func read(_ path: FilePath) throws -> PoolContract {
    let contract: PoolContract = try Input.json(
      path, "result of `spectrap contract`", version: currentSchemaVersion, kind: kind)
    if let problem = contract.problem {
      throw Failure(status: .dataError, message: "\(path) is no contract that can be kept: \(problem)")
    }
    return contract
  }
}

extension Snapshot<ExperimentState> {
  /// The snapshot in a file.
  ///
  /// The header is read first and limits how much is read, so that a file cannot make the program take more memory.
  ///
  /// - Throws: `Failure` when there is no such file, or it is not a whole snapshot of this version.
  static func read(_ path: FilePath) throws -> ExperimentSnapshot {
    let input = try Input(path)
    do {
      let head = try input.read(SnapshotHeader.size)
      let header = try SnapshotHeader(head)
      // Reading one byte more detects a file that is too long.
      return try ExperimentSnapshot(decoding: head + (try input.read(header.fileLength - head.count + 1)))
    } catch let error as SnapshotError {
      throw Failure(status: .dataError, message: "\(input.name): \(error)")
    }
  }
}
