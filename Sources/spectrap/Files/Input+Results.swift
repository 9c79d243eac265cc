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
  static func json<Value: Decodable>(
    _ path: FilePath, _ what: String, versions: ClosedRange<Int>, kind: String? = nil
  ) throws -> Value {
    let (data, name) = try data(path, what)
    return try json(data, name, what, versions: versions, kind: kind)
  }

  /// The content of a file that should be JSON, and its name for messages.
  ///
  /// - Throws: `Failure` when it cannot be read, or is too long.
  static func data(_ path: FilePath, _ what: String) throws -> (data: Data, name: String) {
    let input = try Input(path)
    let data = Data(try input.read(longest << 20 + 1))
    guard data.count <= longest << 20 else {
      throw Failure(status: .dataError, message: "\(input.name) is no \(what): it is longer than \(longest) MiB")
    }
    return (data, input.name)
  }

  /// The same for content that was read before.
  static func json<Value: Decodable>(
    _ data: Data, _ path: String, _ what: String, versions: ClosedRange<Int>, kind: String?
  ) throws -> Value {
    let head: Head
    do { head = try Head(of: data, kind: kind) } catch {
      throw Failure(status: .dataError, message: "\(path) is no \(what): \(error)")
    }
    let found = head.schemaVersion
    guard found.map(versions.contains) == true else {
      let readable = versions.count > 1 ? "versions \(versions.lowerBound) to" : "version"
      throw Failure(
        status: .dataError,
        message: "\(path) has \(found.map { "schema version \($0)" } ?? "no schema version"), and this program reads "
          + "\(readable) \(versions.upperBound): write the file with this program, or read it with the one that wrote it"
      )
    }
    do { return try JSONDecoder().decode(Value.self, from: data) } catch {
      throw Failure(
        status: .dataError,
        message: "\(path) is no \(what), or damaged: \((error as? DecodingError)?.text ?? "\(error)")")
    }
  }
}

/// The keys that every result has.
struct Head: Decodable {
  var schemaVersion: Int?
  var kind: String?

  /// Why data are no result of a kind, to stand behind a colon.
  struct Problem: Error, CustomStringConvertible {
    let description: String
  }

  /// The head of a result of any kind.
  init(of data: Data) throws(Problem) {
    guard !data.isEmpty else { throw Problem(description: "it is empty") }
    do { self = try JSONDecoder().decode(Head.self, from: data) } catch DecodingError.typeMismatch(_, let context) {
      throw Problem(
        description: context.codingPath.isEmpty
          ? "it is JSON, but no object" : "its schema version or kind is of another type")
    } catch { throw Problem(description: "it is not JSON") }
  }

  /// The head of a result of this kind.
  init(of data: Data, kind: String?) throws(Problem) {
    try self.init(of: data)
    guard self.kind != kind else { return }
    throw Problem(
      description: self.kind.map { "it says that it is of the kind \"\($0)\"" } ?? "it does not say of which kind it is"
    )
  }
}

extension HostOffer {
  /// The offer in a file of `spectrap probe --json`.
  ///
  /// The host gets the file's name without its last extension, and the id that the file says.
  ///
  /// - Throws: `Failure` when the file cannot be read, is something else, or was made without KVM.
  static func read(_ path: FilePath) throws -> HostOffer {
    let document: HostDocument = try Input.json(
      path, "result of `spectrap probe --json`", versions: RunReport.readableSchemaVersions)
    guard var offer = document.offer else {
      throw Failure(
        status: .dataError,
        message:
          "\(path) does not say what a host offers guests: give what `spectrap probe --json` wrote where KVM can be used"
      )
    }
    guard offer.isPlain, document.identity?.host.isPlain ?? true else {
      throw Failure(status: .dataError, message: "\(path) contains text that cannot be printed")
    }
    offer.name = path == "-" ? "standard input" : path.stem ?? "\(path)"
    offer.id = document.identity?.host
    return offer
  }
}

extension PoolContract {
  /// The contract in a file of `spectrap contract`.
  ///
  /// - Throws: `Failure` when the file cannot be read or is something else.
  static func read(_ path: FilePath) throws -> PoolContract {
    let contract: PoolContract = try Input.json(
      path, "result of `spectrap contract`", versions: currentSchemaVersion...currentSchemaVersion, kind: kind)
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
