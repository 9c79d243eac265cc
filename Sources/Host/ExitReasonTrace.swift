// What ended each stretch of a guest inside KVM, by name: the kernel's own histogram on the trace event kvm:kvm_exit.
//
// Facts: Linux Documentation/trace/histogram.rst (the keys, the file `hist`, a trigger that "!" removes);
// Documentation/trace/events.rst, section 5 (filters; common_pid is the thread's number); arch/x86/kvm/trace.h
// (kvm_exit: isa is 1 for VMX, 2 for SVM; the event's format names the reasons); include/linux/proc_ns.h
// (PROC_PID_INIT_INO).

import CHost
import Glibc
public import SystemPackage

/// Counts the exits of guests that the calling thread runs, by the reason that the processor gave.
///
/// The kernel counts, at each exit: no buffer can overflow. One trigger is set on the event, for this thread alone, and
/// removed at the end; whatever else is traced on the host stays as it is. Both files are opened at the start, so that
/// the counts can be read in a sandbox that opens none. A process that is killed by SIGKILL leaves its trigger behind.
public final class ExitReasonTrace: Sendable {
  private let trigger: FileDescriptor
  private let histogram: FileDescriptor
  private let order: String
  private let filter: String
  private let names: [Key: String]

  /// Where tracefs is mounted: since Linux 4.1, and before that.
  private static let mounts = ["sys/kernel/tracing", "sys/kernel/debug/tracing"]
  /// More than any histogram of some hundred reasons has.
  private static let largestFile = 1 << 20

  /// What the histogram counts by.
  struct Key: Hashable {
    var isa: UInt64
    var reason: UInt64
  }

  /// Begins to count the exits of this thread's guests.
  ///
  /// - Throws: `ExitReasonTraceError` when this host does not count them, or this process may not ask.
  public convenience init() throws(ExitReasonTraceError) { try self.init(files: HostFiles(), thread: chost_gettid()) }

  init(files: HostFiles, thread: CInt) throws(ExitReasonTraceError) {
    guard let mount = Self.mounts.first(where: { files.status(of: "\($0)/events") != .noSuchFileOrDirectory }) else {
      throw .notMounted
    }
    let event = "\(mount)/events/kvm/kvm_exit"
    switch files.status(of: "\(mount)/events/kvm") {
    case nil: break
    case .noSuchFileOrDirectory?: throw .noEvent
    case let code?: throw .call("\(files.path(mount))", code)
    }
    guard files.isOfFirstPIDNamespace else { throw .otherNamespace }
    guard let format = files.text("\(event)/format") else { throw .noEvent }
    names = Self.names(in: format)
    filter = "if common_pid == \(thread)"
    order = "hist:keys=isa,exit_reason:size=1024 \(filter)"
    trigger = try Self.open(files.path("\(event)/trigger"), .writeOnly)
    do throws(ExitReasonTraceError) {
      histogram = try Self.open(files.path("\(event)/hist"), .readOnly)
    } catch {
      try? trigger.close()
      throw error.isAbsence ? .noHistograms : error
    }
    // One that a killed process of this number has left behind; where there is none, that is refused.
    _ = try? trigger.writeAll("!\(order)\n".utf8)
    do { try trigger.writeAll("\(order)\n".utf8) } catch {
      try? trigger.close()
      try? histogram.close()
      throw .call("\(files.path("\(event)/trigger"))", error as? Errno ?? .ioError)
    }
  }

  deinit {
    _ = try? trigger.writeAll("!\(order)\n".utf8)
    try? trigger.close()
    try? histogram.close()
  }

  /// The exits since it began, by the kernel's names of their reasons.
  ///
  /// - Throws: `ExitReasonTraceError` when they cannot be read, or the kernel has lost some.
  public func counts() throws(ExitReasonTraceError) -> [String: UInt64] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    do {
      while bytes.count < Self.largestFile {
        // Safe: the kernel writes within the buffer, which the array owns during the closure.
        let count = try unsafe buffer.withUnsafeMutableBytes {
          unsafe try histogram.read(fromAbsoluteOffset: Int64(bytes.count), into: $0)
        }
        if count == 0 { break }
        bytes += buffer[..<count]
      }
    } catch { throw .call("the histogram of kvm_exit", error as? Errno ?? .ioError) }
    guard let counted = Self.counts(in: String(decoding: bytes, as: UTF8.self), filter: filter) else {
      throw .unreadable
    }
    guard counted.lost == 0 else { throw .lost(counted.lost) }
    return counted.exits.reduce(into: [:]) { $0[name(of: $1.key), default: 0] += $1.value }
  }

  private func name(of key: Key) -> String {
    // VMX has flags in the upper half (SDM volume 3, 26.9.1).
    let reason = key.isa == 1 ? key.reason & 0xffff : key.reason
    return names[Key(isa: key.isa, reason: reason)] ?? "reason 0x" + String(key.reason, radix: 16)
  }

  private static func open(
    _ path: FilePath, _ mode: FileDescriptor.AccessMode
  ) throws(ExitReasonTraceError) -> FileDescriptor {
    do { return try FileDescriptor.open(path, mode, options: .closeOnExec) } catch {
      throw .call("\(path)", error as? Errno ?? .ioError)
    }
  }
}

// MARK: Texts of the kernel

extension ExitReasonTrace {
  /// The names in the event's format: the first list of symbols is VMX's, the second SVM's.
  static func names(in format: String) -> [Key: String] {
    var names: [Key: String] = [:]
    for (index, list) in format.parts(after: "__print_symbolic(").prefix(2).enumerated() {
      // The next function's arguments are none of this list.
      let end = list.firstRange(of: "__print_")?.lowerBound ?? list.endIndex
      for pair in list[..<end].split(separator: "{").dropFirst() {
        let parts = pair.split(separator: "\"", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let number = number(parts[0].filter { !$0.isWhitespace && $0 != "," }) else { continue }
        names[Key(isa: UInt64(index + 1), reason: number)] = String(parts[1])
      }
    }
    return names
  }

  /// A number as C has it; a negative one as the 32 bits that the event holds.
  private static func number(_ text: String) -> UInt64? {
    if text.hasPrefix("0x") { return UInt64(text.dropFirst(2), radix: 16) }
    return Int64(text).map { UInt64(UInt32(truncatingIfNeeded: $0)) }
  }

  /// The counts of the histogram with this filter, and how many exits it has lost; nil where the text has no such
  /// histogram or is none.
  static func counts(in text: String, filter: String) -> (exits: [Key: UInt64], lost: UInt64)? {
    var exits: [Key: UInt64] = [:]
    var isOurs = false
    var lost: UInt64?
    for line in text.split(separator: "\n") {
      if line.hasPrefix("# trigger info:") {
        isOurs = line.contains("exit_reason") && "\(line) ".contains("\(filter) ")
      } else if isOurs, line.hasPrefix("{") {
        guard let isa = value(of: "isa:", in: line), let reason = value(of: "exit_reason:", in: line),
          let count = value(of: "hitcount:", in: line)
        else { return nil }
        exits[Key(isa: isa, reason: reason), default: 0] &+= count
      } else if isOurs, line.contains("Dropped:") {
        lost = value(of: "Dropped:", in: line)
      }
    }
    return lost.map { (exits, $0) }
  }

  /// The number that follows this word.
  private static func value(of word: String, in line: Substring) -> UInt64? {
    let words = line.split { $0 == " " || $0 == "," || $0 == "\t" }
    guard let index = words.firstIndex(of: word[...]), index + 1 < words.count else { return nil }
    return UInt64(words[index + 1])
  }
}

extension StringProtocol where SubSequence == Substring {
  /// What stands after each occurrence of a word, up to the next.
  fileprivate func parts(after word: String) -> [Substring] {
    var parts: [Substring] = []
    var rest = self[...]
    while let range = rest.firstRange(of: word) {
      rest = rest[range.upperBound...]
      let end = rest.firstRange(of: word)?.lowerBound ?? rest.endIndex
      parts.append(rest[..<end])
    }
    return parts
  }
}

extension HostFiles {
  /// Why a file cannot be reached; nil where it can.
  fileprivate func status(of relative: String) -> Errno? {
    do {
      try FileDescriptor.open(path(relative), .readOnly, options: [.closeOnExec, .directory]).close()
      return nil
    } catch { return error as? Errno ?? .ioError }
  }

  /// Whether this process is in the PID namespace that the kernel began with, in which trace events name threads.
  fileprivate var isOfFirstPIDNamespace: Bool {
    var target = [CChar](repeating: 0, count: 64)
    // Safe: the kernel writes at most the buffer's size less one, and the last byte stays 0.
    let length = unsafe path("proc/self/ns/pid").withPlatformString { unsafe readlink($0, &target, target.count - 1) }
    return length > 0
      && String(decoding: target.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self)
        == "pid:[4026531836]"
  }
}

extension [String: UInt64] {
  /// The growth of each count, of which one that was missing was 0.
  package func growth(since before: Self) -> Self {
    reduce(into: [:]) { growth, count in
      let old = before[count.key] ?? 0
      if count.value > old { growth[count.key] = count.value - old }
    }
  }
}

/// Why exits are not counted by their reasons.
public enum ExitReasonTraceError: Error, Equatable, Sendable {
  /// There is no tracefs.
  case notMounted
  /// KVM has no trace events, or is not loaded.
  case noEvent
  /// The kernel was built without histograms.
  case noHistograms
  /// The kernel knows this process's threads by other numbers.
  case otherNamespace
  /// A call failed: on what, and how.
  case call(String, Errno)
  /// The kernel's text is not what histogram.rst says.
  case unreadable
  /// So many exits are missing.
  case lost(UInt64)

  /// Whether a permission is missing.
  public var isPermission: Bool {
    if case .call(_, let code) = self { code == .permissionDenied || code == .notPermitted } else { false }
  }

  fileprivate var isAbsence: Bool {
    if case .call(_, .noSuchFileOrDirectory) = self { true } else { false }
  }
}

extension ExitReasonTraceError: CustomStringConvertible {
  public var description: String {
    let why =
      switch self {
      case .notMounted:
        "tracefs is not mounted; as root: mount -t tracefs tracefs /sys/kernel/tracing"
      case .noEvent:
        "this kernel has no trace event kvm:kvm_exit; load kvm_intel or kvm_amd, or take a kernel that has it"
      case .noHistograms: "this kernel has no histograms of trace events (CONFIG_HIST_TRIGGERS)"
      case .otherNamespace:
        "this process is in a PID namespace of its own, and trace events name its threads by other numbers; "
          + "run it outside the container"
      case .call(let what, let code):
        "\(what): \(code)\(isPermission ? "; trace events are root's, and kernel lockdown forbids them" : "")"
      case .unreadable: "the kernel's histogram of kvm_exit has an unknown form"
      case .lost(let count): "the kernel lost \(count) exits of its histogram of kvm_exit"
      }
    return "KVM's exits cannot be counted by reason: \(why)"
  }
}
