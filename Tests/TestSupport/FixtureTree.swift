// A host made of files in a temporary folder, which goes away with the value.

public import Foundation
public import Host
import SystemPackage

/// A folder that stands for `/`, filled with the given files; keep it in a variable for as long as it is read.
public final class FixtureTree {
  public let folder: URL

  public var files: HostFiles { HostFiles(root: FilePath(folder.path)) }

  public init(_ contents: [String: String] = [:]) throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("spectrap-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for (path, text) in contents { try write(Data(text.utf8), to: path) }
  }

  deinit {
    try? FileManager.default.removeItem(at: folder)
  }

  public func write(_ data: Data, to path: String) throws {
    let file = folder.appendingPathComponent(path)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: file)
  }

  /// Makes a symbolic link, in place of one that is there.
  public func link(_ path: String, to target: String) throws {
    let file = folder.appendingPathComponent(path)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try? FileManager.default.removeItem(at: file)
    try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: target)
  }
}
