// The files of a fleet: results, how the program ended on each host, and who was asked. One is read at a time.

import FoundationEssentials
import Glibc
import Host
import Measurement
import Migration
import Rendering
import SystemPackage

/// The files of a fleet.
enum FleetFile {
  /// How much of a host's standard error is read, in bytes.
  private static let longestError = 4096

  /// Reads a file, or every file of a folder.
  ///
  /// A result that cannot be read is a host that was not measured. A file of a folder that is something else is passed
  /// over, with a sentence on standard error.
  ///
  /// - Throws: `Failure` when there is no such file or folder.
  static func read(_ path: FilePath, into merge: inout FleetMerge) throws {
    guard path != "-", (try? OpenFile(path, flags: O_RDONLY | O_DIRECTORY)) != nil else {
      let data = try Input.data(path, "result of `spectrap bench --json`").data
      add(data, path, into: &merge, isChosen: true)
      return
    }
    let folder = HostFiles(root: path)
    for name in folder.names(in: "").sorted() {
      let file = path.appending(name)
      switch file.extension {
      case "json":
        do {
          add(try Input.data(file, "result").data, file, into: &merge, isChosen: false)
        } catch let failure as Failure {
          merge.add(unreadable: self.name(of: file), reason: failure.message)
        }
      case "err":
        guard let text = folder.bytes(name, limit: longestError) else { continue }
        let lines = String(decoding: text, as: UTF8.self).printable.split(separator: "\n")
        if let line = lines.first { merge.add(error: String(line), of: self.name(of: file)) }
      default: continue
      }
    }
  }

  private static func add(_ data: Data, _ path: FilePath, into merge: inout FleetMerge, isChosen: Bool) {
    let name = name(of: path)
    guard !data.isEmpty else { return merge.add(unreadable: name, reason: "it is empty") }
    do {
      switch try JSONDecoder().decode(Content.self, from: data) {
      case .figures(let figures):
        try merge.add(figures, named: name) {
          let decoder = JSONDecoder()
          if let key = CodingUserInfoKey.withoutSamples { decoder.userInfo[key] = true }
          return try decoder.decode(BenchReport.self, from: data)
        }
      case .status(let status): merge.add(status)
      case .order(let order): merge.add(order)
      case .other(let kind?) where !isChosen:
        Output.error("spectrap: \(path) is passed over: it is of the kind \"\(kind.printable)\"")
      case .other(let kind):
        merge.add(
          unreadable: name,
          reason: kind.map { "it says that it is of the kind \"\($0)\"" } ?? "it does not say of which kind it is")
      case .unsuitable(let reason): merge.add(unreadable: name, reason: reason)
      }
    } catch { merge.add(unreadable: name, reason: (error as? DecodingError)?.text ?? "\(error)") }
  }

  /// What a file of a fleet holds; read in one pass, because there are thousands.
  private enum Content: Decodable {
    case figures(HostFigures), status(HostStatus), order(FleetOrder)
    case other(kind: String?)
    /// It is of a kind that belongs here, and is not taken.
    case unsuitable(String)

    init(from decoder: any Decoder) throws {
      let head = try Head(from: decoder)
      func isReadable(_ versions: ClosedRange<Int>) -> Bool { head.schemaVersion.map(versions.contains) == true }
      switch head.kind {
      case "bench" where isReadable(BenchReport.readableSchemaVersions):
        let figures = try HostFigures(from: decoder)
        self =
          figures.identity?.host.utf8.count ?? 0 <= ResultIdentity.longestHost
          ? .figures(figures) : .unsuitable("its host's id is too long")
      case HostStatus.kind where isReadable(1...HostStatus.currentSchemaVersion):
        self = .status(try HostStatus(from: decoder))
      case FleetOrder.kind where isReadable(1...FleetOrder.currentSchemaVersion):
        self = .order(try FleetOrder(from: decoder))
      case "bench", HostStatus.kind, FleetOrder.kind:
        self = .unsuitable(
          "it has \(head.schemaVersion.map { "schema version \($0)" } ?? "no schema version"), which this program does "
            + "not read")
      default: self = .other(kind: head.kind)
      }
    }
  }

  /// The name of a host's file: `node1` for `node1.json` and `node1.status.json`.
  private static func name(of path: FilePath) -> String { path.stem ?? "\(path)" }
}
