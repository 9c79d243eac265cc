// Results that the program reads, here or on another host: the JSON of `probe`, `bench` and `contract`, and snapshots.

import Experiments
import FoundationEssentials
import Hypervisor
import Measurement
import Migration
import SystemPackage

extension Input {
  /// The longest JSON that is read, in MiB: a benchmark of a day has less.
  private static let longest = 256

  /// A file's JSON as a value, its schema version checked first; `what` names what it should be.
  ///
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

/// What every result begins with.
private struct Head: Decodable {
  var schemaVersion: Int?
  var kind: String?

  /// Why this cannot be a result of a kind, nil for none that is named; nil when it can.
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

/// The JSON of `probe`: the report under a schema version, and what the host offers guests that would come there.
struct HostDocument: Codable {
  var schemaVersion = RunReport.currentSchemaVersion
  var host: HostReport
  /// Null where KVM was not there to ask.
  @Nullable var offer: HostOffer?

  init(host: HostReport, offer: HostOffer?) {
    self.host = host
    self.offer = offer
  }
}

extension HostOffer {
  /// What a host offers by its `spectrap probe --json`; the host is called by the file's name without its last
  /// extension.
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
      throw Failure(status: .dataError, message: "\(path) has words in it that cannot be printed")
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
  /// The snapshot in a file, read by its header, so that no file makes the program take more memory than the header may
  /// promise.
  ///
  /// - Throws: `Failure` when there is no such file, or it is not a whole snapshot of this version.
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
