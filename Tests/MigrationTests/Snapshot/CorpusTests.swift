// Every file of the fuzzing corpus: read or refused, and neither ends the program. What fuzzing finds is put there, and
// stays mended.

import Experiments
import FoundationEssentials
import Glibc
import Rendering
import TestSupport
import Testing

@testable import Migration

@Suite("The fuzzing corpus")
struct CorpusTests {
  private func files() throws -> [String: [UInt8]] {
    let names = try FileManager.default.contentsOfDirectory(atPath: Seeds.folder.path).filter { !$0.hasPrefix(".") }
    return Dictionary(
      uniqueKeysWithValues: try names.map { ($0, Array(try Data(contentsOf: Seeds.folder.appending(path: $0)))) })
  }

  @Test("holds the seeds as they are made (SPECTRAP_UPDATE_CORPUS=1 writes them anew), and is small")
  func seeds() throws {
    let seeds = try Seeds.snapshots().merging(try Seeds.transfers()) { first, _ in first }
    if unsafe getenv("SPECTRAP_UPDATE_CORPUS") != nil {
      for (name, bytes) in seeds { try Data(bytes).write(to: Seeds.folder.appending(path: name)) }
    }
    let files = try files()
    for (name, bytes) in seeds { #expect(files[name] == bytes, "\(name)") }
    for (name, bytes) in files {
      #expect(seeds[name] != nil || name.hasPrefix("found-"), "\(name) has no reason to be there")
      #expect(bytes.count <= 16_384, "\(name)")
    }
  }

  @Test("is read or refused as a snapshot's file, and so are its parts")
  func snapshots() throws {
    var read: [String] = []
    for (name, bytes) in try files() {
      do throws(SnapshotError) {
        let snapshot = try ExperimentSnapshot(decoding: bytes)
        read.append(name)
        _ = try? PausedExperiment(snapshot)
        _ = try? snapshot.document()
        _ = try? MovingGuest(snapshot)
      } catch { #expect(!"\(error)".isEmpty) }
    }
    for name in ["snapshot-made", "snapshot-empty-memory", "snapshot-counters-at-their-limit"] {
      #expect(read.contains(name), "it is to get past the checks")
    }
    for name in try Seeds.snapshots().keys where !read.contains(name) { #expect(name != "snapshot-made") }
    #expect(!read.contains { $0.hasPrefix("transfer") })
  }

  @Test("is read or refused as what the other side of a migration says", .bounded)
  func transfers() throws {
    for (name, bytes) in try files() where !bytes.isEmpty {
      if let snapshot = try? received(Array(bytes.dropFirst())) {
        _ = try? snapshot.document()
        #expect(name.hasPrefix("transfer-to-destination") || name.hasPrefix("found-"))
      }
      _ = try? Sender(over: try connection(saying: Array(bytes.dropFirst()))).offer()
    }
    #expect(throws: Never.self) {
      _ = try received(Array(try Seeds.transfers()["transfer-to-destination"]!.dropFirst()))
    }
  }
}
