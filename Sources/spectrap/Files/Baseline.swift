// Results that are kept by name, for later results to be compared with: one file each, below the user's data folder.
// Facts: XDG Base Directory Specification 0.8 (XDG_DATA_HOME, by default ~/.local/share; a relative path is ignored;
// folders are made with mode 0700).

import ArgumentParser
import Glibc
import Measurement
import Rendering
import SystemPackage

/// A baseline: a result with a name.
struct Baseline {
  let name: String

  /// The longest name, in characters.
  private static let longest = 100

  /// The baseline of this name.
  ///
  /// - Throws: `ValidationError` for a name that is none, such as a path.
  @Sendable static func argument(_ text: String) throws -> Baseline {
    let isPlain = text.unicodeScalars.allSatisfy {
      $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "._-".unicodeScalars.contains($0))
    }
    guard isPlain, !text.isEmpty, !text.hasPrefix("."), !text.hasPrefix("-"), text.count <= longest else {
      throw ValidationError(
        "give a name of at most \(longest) letters, digits, dots, hyphens and underscores, of which the first is a letter, a "
          + "digit or an underscore")
    }
    return Baseline(name: text)
  }

  /// Whether there is a baseline of this name.
  ///
  /// - Throws: `Failure` where there is no place for baselines.
  func exists() throws -> Bool { access(try path(), F_OK) == 0 }

  /// The result that is kept.
  ///
  /// - Throws: `Failure`: 66 where there is none of this name, and what other input is refused with.
  func read() throws -> BenchReport {
    guard try exists() else {
      let names = try Self.names()
      throw Failure(
        status: .noInput,
        message: "there is no baseline \"\(name)\" in \(try Self.folder()); "
          + (names.isEmpty
            ? "there are none; --save-baseline keeps one" : "there are: \(names.joined(separator: ", "))"))
    }
    return try BenchReport.read(try path())
  }

  /// Keeps a result under this name; one that was there is replaced in one step.
  ///
  /// - Throws: `Failure` where it cannot be written.
  func save(_ report: BenchReport) throws {
    var folder = FilePath(root: "/")
    for component in try Self.folder().components {
      folder.append(component)
      // Safe: the path is zero-terminated and lives as long as the call.
      guard unsafe folder.withPlatformString({ unsafe mkdir($0, 0o700) }) == 0 || errno == EEXIST else {
        // Every folder that is there already may say something else than that it exists.
        if access(folder, F_OK) == 0 { continue }
        throw Failure(Errno(rawValue: errno), "\(folder) cannot be made", status: .ioError)
      }
    }
    try ResultFile(try path()).write(try report.jsonText())
  }

  private func path() throws -> FilePath { try Self.folder().appending(name + Self.ending) }

  private static let ending = ".json"

  /// The names of all baselines, sorted.
  private static func names() throws -> [String] {
    // Safe: the stream is this call's own, and each name is copied before the next is read.
    guard let stream = unsafe try folder().withPlatformString({ unsafe opendir($0) }) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let file = unsafe withUnsafePointer(to: entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if file.hasSuffix(ending), !file.hasPrefix(".") { names.append(String(file.dropLast(ending.count))) }
    }
    return names.sorted()
  }

  /// The folder of the baselines.
  ///
  /// - Throws: `Failure` where neither XDG_DATA_HOME nor HOME says where it is.
  private static func folder() throws -> FilePath {
    func folder(_ name: String) -> FilePath? {
      // Safe: the string is copied before anything could change the environment.
      let path = unsafe getenv(name).map { unsafe FilePath(platformString: $0) }
      return path.flatMap { $0.isAbsolute ? $0 : nil }
    }
    guard let data = folder("XDG_DATA_HOME") ?? folder("HOME")?.appending(".local/share") else {
      throw Failure(
        status: .unavailable,
        message: "baselines are kept below XDG_DATA_HOME or HOME, and neither is set to an absolute path; set one")
    }
    return data.appending("spectrap/baselines")
  }
}

/// The answer of access(2) for a path.
private func access(_ path: FilePath, _ mode: CInt) -> CInt {
  // Safe: the path is zero-terminated and lives as long as the call.
  unsafe path.withPlatformString { unsafe Glibc.access($0, mode) }
}
