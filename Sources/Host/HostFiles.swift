// The host's own files (/proc, /sys, /dev), read below a root that a test can choose.
//
// Facts: getdents64(2) (struct linux_dirent64: record length at byte 16, name from byte 19). sysfs files are one page;
// every read is bounded, because another root may hold anything.

import CHost
import Synchronization
public import SystemPackage

/// The files in which the host describes itself.
///
/// Nothing here throws: a file that is absent or not readable is nil, a folder without entries is empty. A file that
/// could not be read for lack of descriptors or memory is also nil, and `unread` names it.
public struct HostFiles: Hashable, Sendable {
  /// The folder that stands for `/`.
  public var root: FilePath

  /// How much of a file is read by default, in bytes.
  public static let defaultLimit = 64 << 10

  /// The files below the given root.
  public init(root: FilePath = "/") {
    self.root = root
  }

  /// Whether the files are those of the host that this program runs on.
  var isOfThisHost: Bool { root == "/" }

  /// The path of a file, given relative to the root.
  public func path(_ relative: String) -> FilePath {
    root.appending(FilePath(relative).removingRoot().components)
  }

  /// The files that could not be read for lack of resources, each with the reason; facts about the host are missing
  /// then.
  public static var unread: [String] { shortages.withLock { $0 } }

  private static let shortages = Mutex<[String]>([])

  /// Notes a failure for lack of resources; returns false for one that says something about the host: a file that is
  /// absent or forbidden, or a register that the processor lacks (EIO of msr(4)).
  @discardableResult
  private func note(_ error: any Error, _ relative: String) -> Bool {
    let shortages: [Errno] = [.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .interrupted]
    guard let code = error as? Errno, shortages.contains(code) || code == .ioError && !relative.hasPrefix("dev/") else {
      return false
    }
    let message = "\(path(relative)): \(code)"
    Self.shortages.withLock { if !$0.contains(message) { $0.append(message) } }
    return true
  }

  /// At most `limit` bytes of a file from `offset` on; nil if they cannot be read.
  public func bytes(_ relative: String, at offset: Int64 = 0, limit: Int = defaultLimit) -> [UInt8]? {
    // Without blocking, so that a pipe or a device in another root cannot stop the program.
    let file: FileDescriptor
    do { file = try FileDescriptor.open(path(relative), .readOnly, options: [.closeOnExec, .nonBlocking]) } catch {
      note(error, relative)
      return nil
    }
    defer { try? file.close() }
    // Most files here hold a line or two.
    var bytes = [UInt8](repeating: 0, count: min(limit, 512))
    var filled = 0
    while filled < limit {
      if filled == bytes.count { bytes += [UInt8](repeating: 0, count: min(limit - filled, 7 * filled)) }
      // Safe: the kernel writes within the buffer, which the array owns during the closure.
      let count: Int
      do {
        count = unsafe try bytes.withUnsafeMutableBytes { buffer in
          let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
          return unsafe try file.read(fromAbsoluteOffset: offset + Int64(filled), into: rest)
        }
      } catch {
        note(error, relative)
        return nil
      }
      if count == 0 { break }
      filled += count
    }
    bytes.removeLast(bytes.count - filled)
    return bytes
  }

  /// At most `limit` bytes of a file as text; nil if they cannot be read.
  public func text(_ relative: String, limit: Int = defaultLimit) -> String? {
    bytes(relative, limit: limit).map { String(decoding: $0, as: UTF8.self) }
  }

  /// A file's text without surrounding white space; nil if it cannot be read or nothing is left.
  public func value(_ relative: String) -> String? {
    guard let text = text(relative) else { return nil }
    let value = text.trimmed
    return value.isEmpty ? nil : String(value)
  }

  /// The names in a folder, sorted, without `.` and `..`; empty if it cannot be read.
  public func names(in relative: String) -> [String] { listing(of: relative) ?? [] }

  /// The same; nil if the folder could not be read for lack of resources (see `unread`).
  func listing(of relative: String) -> [String]? {
    let options: FileDescriptor.OpenOptions = [.closeOnExec, .directory]
    let folder: FileDescriptor
    do { folder = try FileDescriptor.open(path(relative), .readOnly, options: options) } catch {
      return note(error, relative) ? nil : []
    }
    defer { try? folder.close() }
    var names: [String] = []
    var buffer = [UInt8](repeating: 0, count: 32 << 10)
    // A bound: more than any folder of /sys has, and an end for a folder that grows while it is read.
    for _ in 0..<256 {
      // Safe: the kernel writes at most the buffer's size, and the array owns it during the closure.
      let filled = unsafe buffer.withUnsafeMutableBytes { bytes in
        unsafe chost_getdents64(folder.rawValue, bytes.baseAddress, UInt(bytes.count))
      }
      if filled < 0, note(Errno(rawValue: CInt(-filled)), relative) { return nil }
      guard filled > 0 else { break }
      names += HostFiles.entryNames(in: buffer[..<filled])
    }
    return names.sorted()
  }

  /// The names in a buffer of `struct linux_dirent64`.
  private static func entryNames(in records: ArraySlice<UInt8>) -> [String] {
    var names: [String] = []
    var rest = records
    while rest.count > 19 {
      let start = rest.startIndex
      let length = Int(rest[start + 16]) | Int(rest[start + 17]) << 8
      guard length > 19, length <= rest.count else { break }
      let name = String(decoding: rest[(start + 19)..<(start + length)].prefix { $0 != 0 }, as: UTF8.self)
      if name != ".", name != ".." { names.append(name) }
      rest = rest.dropFirst(length)
    }
    return names
  }
}

extension StringProtocol where SubSequence == Substring {
  /// The text without the white space at both ends.
  var trimmed: Substring {
    let head = drop(while: \.isWhitespace)
    guard let last = head.lastIndex(where: { !$0.isWhitespace }) else { return "" }
    return head[...last]
  }
}
