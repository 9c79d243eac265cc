// Guests in files, as a person handles them: run --snapshot-at, inspect, resume.

import Glibc
import TestSupport
import Testing

@Suite("A guest in a file", .needsKVM, .bounded)
struct SnapshotTests {
  /// A file that does not exist yet.
  private func place() throws -> TemporaryFile {
    let file = try TemporaryFile()
    unsafe _ = unlink(file.path)
    return file
  }

  private func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// `ibrs` with 100 iterations, paused after some of them.
  private func paused(after iterations: Int) throws -> TemporaryFile {
    let file = try place()
    let outcome = try Spectrap.run(
      "run", "ibrs", "--iterations", "100", "--snapshot-at", "\(iterations)", file.path, "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let result = try JSONValue(parsing: outcome.output)
    #expect(result["stopped"] == .string("paused") && result["completed"] == .bool(false))
    #expect(result["exits.byMSR.0x48.writes"]?.count ?? 0 == 2 * iterations)
    return file
  }

  @Test("goes on to the counts of one that was never stopped, more than once", arguments: [0, 1, 37, 99])
  func resume(iterations: Int) throws {
    let file = try paused(after: iterations)
    for policy in [[], ["--policy", "shadow"]] {
      let outcome = try Spectrap.run(["resume", file.path, "--json"] + policy)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let result = try JSONValue(parsing: outcome.output)
      #expect(result["completed"] == .bool(true) && result["guest.kernelEntries"]?.count == 100)
      #expect(result["exits.byReason.writeMSR"]?.count == 200 && result["exits.byReason.portOut"]?.count == 1)
      #expect(result["origin"] != .null && result["warnings"]?.elements.isEmpty == true)
    }
  }

  @Test("is put there when SIGUSR1 comes, wherever the guest is, and goes on with every count")
  func signal() throws {
    let file = try place()
    let deadline = ContinuousClock.now + Spectrap.patience
    let child = try Child([
      Spectrap.path, "run", "chatty", "--iterations", "40000", "--snapshot-at", "signal", file.path, "--json",
    ])
    _ = try child.interruptWhenReady(by: deadline, with: SIGUSR1)
    let outcome = try child.outcome(by: deadline)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let before = try JSONValue(parsing: outcome.output)["exits.total"]?.count ?? 0
    #expect(before < 40_000)
    let result = try JSONValue(parsing: try Spectrap.run("resume", file.path, "--json").output)
    #expect(result["exits.total"]?.count == 40_001 && result["guest.kernelEntries"]?.count == 40_000)
  }

  @Test("holds the guest's memory, so it is its owner's alone; a file that was there keeps its mode")
  func mode() throws {
    let file = try paused(after: 3)
    #expect(mode(of: file.path) == 0o600)
    unsafe #expect(chmod(file.path, 0o640) == 0)
    let outcome = try Spectrap.run("run", "ibrs", "--iterations", "100", "--snapshot-at", "5", file.path)
    #expect(outcome.status == 0 && mode(of: file.path) == 0o640, "\(outcome.errors)")
    #expect(try Spectrap.run("inspect", file.path).output.contains("5 of 100 iterations"))
  }

  private func mode(of path: String) -> mode_t? {
    var status = stat()
    // Safe: the path is a string, and the structure this call's own.
    return unsafe stat(path, &status) == 0 ? status.st_mode & 0o777 : nil
  }

  @Test("is shown by inspect, in words and as JSON, without KVM")
  func inspect() throws {
    let file = try paused(after: 40)
    let text = try Spectrap.run("inspect", file.path)
    #expect(text.status == 0)
    for words in ["version 1", "ibrs, entry", "emulate of IA32_SPEC_CTRL", "40 of 100 iterations", "80"] {
      #expect(text.output.contains(words), "\(words) in \(text.output)")
    }
    let json = try JSONValue(parsing: try Spectrap.run("inspect", file.path, "--json").output)
    #expect(json["policy"] == .string("emulate") && json["work.workload"] == .string("ibrs"))
    #expect(json["work.orders"]?.elements.compactMap(\.count).reduce(0, +) == 100)
  }

  @Test("that is none is refused, with what it is: status 65, and 66 where there is no file")
  func refused() throws {
    let file = try paused(after: 3)
    let size = try #require(fileSize(file.path))
    unsafe #expect(truncate(file.path, size - 1) == 0)
    for command in ["resume", "inspect"] {
      try Spectrap.run(command, file.path).expectFailure(65, saying: "cut off", "\(size - 1) of \(size)")
      try Spectrap.run(command, "/proc/self/maps").expectFailure(65, saying: "not a snapshot of Spectrap")
      try Spectrap.run(command, "/nonexistent").expectFailure(66, saying: "/nonexistent cannot be read")
    }
  }

  private func fileSize(_ path: String) -> Int? {
    var status = stat()
    // Safe: the path is a string, and the structure this call's own.
    return unsafe stat(path, &status) == 0 ? Int(status.st_size) : nil
  }

  @Test("that pauses though nobody ordered it here is an error: no guest is lost in silence", arguments: [40, 0])
  func laterPause(iterations: Int) throws {
    let file = try paused(after: iterations)
    var bytes = SnapshotBytes(parsing: try Self.bytes(of: file.path))
    let before = try #require(try bytes.json["work.pause"]?.count)
    let later = before + 3
    try bytes.setState(bytes.json.replacing("work.pause", with: .integer(Int128(later))))
    // The page of the samples' records, 24 bytes each; the upper half of the first 8 orders the pause.
    let page = try #require(
      stride(from: 0, to: bytes.records.count, by: SnapshotBytes.recordSize).first {
        Array(bytes.records[$0..<$0 + 8]) == SnapshotBytes.little(0x4_0000 as UInt64)
      })
    bytes.records[page + 8 + 24 * later + 4] = 1
    try Self.write(bytes.file, to: file.path)
    for options in [[], ["--no-sandbox"]] {
      let outcome = try Spectrap.run(["resume", file.path] + options)
      #expect(outcome.status == 70 && outcome.errors.contains("OUT of 1 byte to port"), "\(outcome.errors)")
      #expect(outcome.output.isEmpty)
    }
  }

  private static func bytes(of path: String) throws -> [UInt8] {
    let file = unsafe try #require(fopen(path, "r"))
    defer { unsafe _ = fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 22)
    // Safe: the array is as long as is said.
    let count = unsafe fread(&bytes, 1, bytes.count, file)
    return Array(bytes.prefix(count))
  }

  private static func write(_ bytes: [UInt8], to path: String) throws {
    let file = unsafe try #require(fopen(path, "w"))
    // Safe: the array is as long as is said.
    let count = unsafe fwrite(bytes, 1, bytes.count, file)
    unsafe #expect(fclose(file) == 0 && count == bytes.count)
  }

  @Test("is not written where the guest ends first, or the order makes no sense, or the place cannot be written")
  func notWritten() throws {
    let file = try place()
    let ended = try Spectrap.run("run", "bare", "--iterations", "3", "--snapshot-at", "signal", file.path)
    #expect(ended.status == 70 && ended.errors.contains("ended before it was paused"), "\(ended.errors)")
    for order in [["100", file.path], ["-1", file.path], ["soon", file.path], ["5"]] {
      let outcome = try Spectrap.run(["run", "bare", "--iterations", "100", "--snapshot-at"] + order)
      #expect(outcome.status == 64, "\(order): \(outcome.errors)")
    }
    #expect(!exists(file.path))
    let nowhere = try Spectrap.run("run", "bare", "--snapshot-at", "5", "/nonexistent/file")
    #expect(nowhere.status == 74 && nowhere.output.isEmpty, "before the guest has run: \(nowhere.errors)")
  }
}
