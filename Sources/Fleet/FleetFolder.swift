// The files of a fleet in a folder: fleet.json, and for each host its result, its status and its standard error. Each
// appears whole under its name. The folder may be on a network file system, so files are found by listing it: the
// file system may remember that a name was missing, but it reads a list anew.
// Facts: nfs(5), on the caching of directory entries (lookupcache); rename(2).

import FoundationEssentials
import Glibc
package import Measurement

/// The folder of a fleet.
package struct FleetFolder: Sendable {
  /// Its absolute path.
  package let path: String

  private static let order = "fleet.json"
  static let program = "spectrap"
  /// The longest result that is read, in bytes, as the program reads others.
  static let longestResult = 256 << 20
  private static let longestStatus = 64 << 10

  /// A folder for a new fleet, which is made if there is none.
  ///
  /// - Throws: `FleetError` when it is not empty or cannot be made.
  package static func new(_ path: String) throws(FleetError) -> FleetFolder {
    let manager = FileManager.default
    do { try manager.createDirectory(atPath: path, withIntermediateDirectories: true) } catch {
      throw FleetError(error, "\(path) cannot be made", .output)
    }
    let folder = FleetFolder(path: try absolute(path))
    let names = try folder.names()
    if names.contains(order) {
      throw FleetError(
        .usage, "\(path) already has a fleet; give --resume \(path) to measure its missing hosts, or another --output")
    }
    guard names.isEmpty else {
      throw FleetError(.usage, "\(path) is not empty, and its files could be taken for results; give another --output")
    }
    return folder
  }

  /// The folder of a fleet that has begun.
  ///
  /// - Throws: `FleetError` when there is none.
  package static func existing(_ path: String) throws(FleetError) -> FleetFolder {
    FleetFolder(path: try absolute(path))
  }

  private static func absolute(_ path: String) throws(FleetError) -> String {
    // Safe: the path is zero-terminated; the result is a copy of the call's own, freed after it was copied.
    guard let real = unsafe realpath(path, nil) else {
      throw FleetError(Errno(errno), "\(path) cannot be used", .noInput)
    }
    defer { unsafe free(real) }
    guard let text = unsafe String(validatingCString: real) else {
      throw FleetError(.usage, "the path \(path) is not UTF-8; give another folder")
    }
    return text
  }

  /// An error of the C library.
  private struct Errno: Error, CustomStringConvertible {
    let code: CInt
    init(_ code: CInt) { self.code = code }
    // Safe: the text is copied at once.
    var description: String { unsafe String(cString: strerror(code)) }
  }

  // MARK: The order

  /// Writes the fleet's order: its hosts and their command.
  ///
  /// - Throws: `FleetError` when it cannot be written.
  package func write(_ order: FleetOrder) throws(FleetError) { try write(Self.json(order), to: Self.order) }

  /// Reads the fleet's order: its hosts and their command.
  ///
  /// - Throws: `FleetError` when there is no order, or it is damaged.
  package func readOrder() throws(FleetError) -> (hosts: [HostName], command: FleetCommand) {
    let file = "\(path)/\(Self.order)"
    guard let bytes = read(Self.order, limit: Self.longestResult) else {
      throw FleetError(.noInput, "\(file) cannot be read; --resume takes a folder that `spectrap fleet run` has made")
    }
    guard let order = try? JSONDecoder().decode(FleetOrder.self, from: bytes), order.kind == FleetOrder.kind else {
      throw FleetError(.dataError, "\(file) is not the order of a fleet, or is damaged; measure into another folder")
    }
    guard order.schemaVersion == FleetOrder.currentSchemaVersion else {
      throw FleetError(
        .dataError,
        "\(file) has schema version \(order.schemaVersion), and this program reads version "
          + "\(FleetOrder.currentSchemaVersion); resume it with the program that wrote it")
    }
    do throws(FleetError) {
      var hosts: [HostName] = []
      for name in order.hosts { hosts.append(try HostName(name)) }
      guard !hosts.isEmpty, Set(hosts).count == hosts.count else {
        throw FleetError(.dataError, "it names no host, or one twice")
      }
      return (hosts, try FleetCommand(order.command))
    } catch { throw FleetError(.dataError, "\(file): \(error)") }
  }

  // MARK: The hosts' files

  /// Which of these hosts have no whole result.
  ///
  /// - Throws: `FleetError` when the folder cannot be read.
  package func unmeasured(of hosts: [HostName]) throws(FleetError) -> [HostName] {
    hosts.filter { end(of: $0) != .measured }
  }

  /// Which of these hosts have a status file.
  func ended(of hosts: some Sequence<HostName>) throws(FleetError) -> Set<HostName> {
    let names = try names()
    return Set(hosts.filter { names.contains(Self.status($0)) })
  }

  /// How a host ended, by its files; nil when it has no status file, or a damaged one.
  func end(of host: HostName) -> HostOutcome.End? {
    guard let bytes = read(Self.status(host), limit: Self.longestStatus),
      let status = try? JSONDecoder().decode(HostStatus.self, from: bytes), status.host == host.text
    else { return nil }
    guard status.exitStatus == 0 else { return .failed(status: status.exitStatus, message: firstError(of: host)) }
    return hasWholeResult(host) ? .measured : .failed(status: 0, message: "it left no whole result")
  }

  /// The keys that show whether a result is whole.
  private struct Head: Decodable {
    var schemaVersion: Int
    var partial: Bool?
  }

  private func hasWholeResult(_ host: HostName) -> Bool {
    guard let bytes = read("\(host).json", limit: Self.longestResult),
      let head = try? JSONDecoder().decode(Head.self, from: bytes)
    else { return false }
    return head.schemaVersion > 0 && head.partial != true
  }

  /// The first line that the program wrote to standard error, cut where it is very long.
  private func firstError(of host: HostName) -> String? {
    guard let bytes = read("\(host).err", limit: .max, reading: 4096) else { return nil }
    return String(decoding: bytes, as: UTF8.self).firstLine
  }

  /// Removes the files of an earlier attempt at a host.
  ///
  /// - Throws: `FleetError` when one cannot be removed.
  func removeFiles(of host: HostName) throws(FleetError) {
    // The status first: without it the others count for nothing.
    for name in [Self.status(host), "\(host).json", "\(host).err"] {
      // Safe: the path is zero-terminated and lives as long as the call.
      guard unsafe unlink("\(path)/\(name)") == 0 || errno == ENOENT else {
        throw FleetError(Errno(errno), "\(path)/\(name) cannot be replaced", .output)
      }
    }
  }

  /// Writes the files of a host; its status last, which says that the others are there.
  ///
  /// - Throws: `FleetError` when one cannot be written.
  func write(_ host: HostName, result: [UInt8], errors: [UInt8], status: HostStatus) throws(FleetError) {
    if !result.isEmpty { try write(Data(result), to: "\(host).json") }
    try write(Data(errors), to: "\(host).err")
    try write(Self.json(status), to: Self.status(host))
  }

  private static func status(_ host: HostName) -> String { "\(host).status.json" }

  // MARK: The program

  /// Puts this program into the folder, for the hosts; the one of an earlier attempt stays.
  ///
  /// - Throws: `FleetError` when it cannot be copied.
  func putProgram() throws(FleetError) {
    guard try !names().contains(Self.program) else { return }
    try write(Data(Self.ownProgram()), to: Self.program, mode: 0o755)
  }

  /// This program's own file.
  ///
  /// - Throws: `FleetError` when it cannot be read.
  static func ownProgram() throws(FleetError) -> [UInt8] {
    do { return [UInt8](try Data(contentsOf: URL(filePath: "/proc/self/exe"))) } catch {
      throw FleetError(error, "this program's own file cannot be read", .noInput)
    }
  }

  // MARK: Reading and writing

  /// The names in the folder.
  private func names() throws(FleetError) -> Set<String> {
    do { return Set(try FileManager.default.contentsOfDirectory(atPath: path)) } catch {
      throw FleetError(error, "\(path) cannot be read", .noInput)
    }
  }

  /// A regular file's content, or its beginning; nil when it cannot be read, or is longer than the limit.
  private func read(_ name: String, limit: Int, reading most: Int? = nil) -> Data? {
    // A pipe of that name must not stop the program, and a link must not lead elsewhere.
    // Safe: the path is zero-terminated and lives as long as the call.
    let descriptor = unsafe open("\(path)/\(name)", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    // Safe: the structure is this call's own.
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= limit else {
      return nil
    }
    var bytes = [UInt8](repeating: 0, count: min(Int(status.st_size), most ?? .max))
    var filled = 0
    while filled < bytes.count {
      // Safe: the array is not empty, and the part that is filled lies in it.
      let count = unsafe bytes.withUnsafeMutableBytes {
        unsafe Glibc.read(descriptor, $0.baseAddress! + filled, $0.count - filled)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      filled += count
    }
    return Data(bytes[..<filled])
  }

  /// Writes a file that appears whole under its name.
  private func write(_ data: Data, to name: String, mode: mode_t = 0o644) throws(FleetError) {
    let temporary = "\(path)/.\(name).\(getpid())"
    do {
      try data.write(to: URL(filePath: temporary))
    } catch {
      // Safe: as below.
      unsafe unlink(temporary)
      throw FleetError(error, "\(path)/\(name) cannot be written", .output)
    }
    // Safe: the paths are zero-terminated and live as long as the calls.
    guard unsafe chmod(temporary, mode) == 0, unsafe rename(temporary, "\(path)/\(name)") == 0 else {
      let error = Errno(errno)
      unsafe unlink(temporary)
      throw FleetError(error, "\(path)/\(name) cannot be written", .output)
    }
  }

  private static func json(_ value: some Encodable) throws(FleetError) -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do { return try encoder.encode(value) + Data("\n".utf8) } catch {
      throw FleetError(.dataError, "what was measured cannot be written as JSON: \(error)")
    }
  }
}

extension FleetError {
  /// A failure of a call about a file; `what` says what could not be done.
  fileprivate init(_ error: any Error, _ what: String, _ kind: Kind) {
    let code = (error as? CocoaError)?.code
    let isForbidden = code == .fileReadNoPermission || code == .fileWriteNoPermission
    let reason: String =
      switch code {
      case .fileReadNoPermission?, .fileWriteNoPermission?: "permission denied"
      case .fileReadNoSuchFile?, .fileNoSuchFile?: "no such file or folder"
      case .fileWriteOutOfSpace?: "no space is left"
      case .fileWriteVolumeReadOnly?: "its file system is read-only"
      case .fileWriteFileExists?: "a file of that name exists"
      case nil: "\(error)"
      default: "error \(code?.rawValue ?? 0) of the file system"
      }
    self.init(isForbidden ? .noPermission : kind, "\(what): \(reason)")
  }
}

extension StringProtocol {
  /// The first line that is not empty, cut where it is very long; nil where there is none.
  var firstLine: String? {
    split(whereSeparator: \.isNewline).lazy.map { String($0.prefix(400)) }
      .first { !$0.allSatisfy(\.isWhitespace) }
  }
}
