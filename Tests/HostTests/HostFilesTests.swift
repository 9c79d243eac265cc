// Reading files and folders below a chosen root, whatever is or is not there.

import Foundation
import Host
import SystemPackage
import TestSupport
import Testing

@Suite("Host files")
struct HostFilesTests {
  @Test("are read below the root, trimmed when a value is asked for")
  func reads() throws {
    let tree = try FixtureTree(["sys/a": " on\n", "sys/empty": "\n", "sys/two": "1\n2\n"])
    let files = tree.files
    #expect(files.value("sys/a") == "on")
    #expect(files.value("/sys/a") == "on")
    #expect(files.value("sys/empty") == nil)
    #expect(files.text("sys/two") == "1\n2\n")
  }

  @Test("are nil when absent, and a folder that is absent or is a file holds no names")
  func absent() throws {
    let tree = try FixtureTree(["file": "x"])
    let files = tree.files
    #expect(files.text("no/such/file") == nil)
    #expect(files.value("no/such/file") == nil)
    #expect(files.text("/") == nil)
    #expect(files.names(in: "no/such/folder").isEmpty)
    #expect(files.names(in: "file").isEmpty)
    #expect(HostFiles(root: "/no/such/root").names(in: "sys").isEmpty)
  }

  @Test("are read no further than the limit, from any offset")
  func bounded() throws {
    let tree = try FixtureTree(["big": String(repeating: "0123456789", count: 20_000)])
    let files = tree.files
    #expect(files.text("big")?.utf8.count == HostFiles.defaultLimit)
    #expect(files.bytes("big", at: 5, limit: 3) == Array("567".utf8))
    #expect(files.bytes("big", at: 1 << 40)?.isEmpty == true)
    #expect(files.bytes("big", limit: 0)?.isEmpty == true)
    #expect(files.text("dev/zero") == nil)
    #expect(HostFiles().bytes("dev/zero", limit: 100)?.count == 100)
  }

  @Test("need not be text")
  func notUTF8() throws {
    let tree = try FixtureTree()
    try tree.write(Data([0xff, 0x41]), to: "binary")
    #expect(tree.files.text("binary") == "\u{fffd}A")
  }

  @Test("are listed sorted, however many there are")
  func names() throws {
    let expected = (0..<3000).map { "entry-\($0)-with-a-long-name-so-that-one-call-does-not-hold-them" }.sorted()
    let tree = try FixtureTree(Dictionary(uniqueKeysWithValues: expected.map { ("many/" + $0, "") }))
    #expect(tree.files.names(in: "many") == expected)
    #expect(tree.files.names(in: "/") == ["many"])
  }

  @Test("are named where reading one failed, but not where one is absent")
  func unread() {
    // Nothing is mapped at address 0, so that reading there is EIO (proc(5), /proc/pid/mem).
    #expect(HostFiles().bytes("proc/self/mem") == nil)
    #expect(HostFiles.unread.contains("/proc/self/mem: Input/output error"))
    #expect(HostFiles().text("no/such/file") == nil && HostFiles().names(in: "no/such/folder").isEmpty)
    #expect(!HostFiles.unread.contains { $0.contains("no/such") })
  }

  @Test("do not hold the program up when one is a pipe that nobody writes to")
  func pipe() throws {
    let tree = try FixtureTree()
    // Safe: the C string lives as long as the call.
    let result = unsafe mkfifo(tree.folder.appendingPathComponent("pipe").path, 0o600)
    #expect(result == 0)
    #expect(tree.files.value("pipe") == nil)
  }
}
