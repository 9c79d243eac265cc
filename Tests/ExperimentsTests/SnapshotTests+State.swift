// What stands in the state of a guest: the policy's own, which it goes on from; and anything at all, which harms
// nobody.

import GuestImages
import Hypervisor
import struct Measurement.SeededGenerator
import Migration
import Testing
import TestSupport

@testable import Experiments

extension SnapshotTests {
  @Test(
    "under adaptive, by the same costs, ends the same wherever it was stopped: a register that was open is opened again",
    arguments: [Workload.Name.ibrs, .chatty, .wrmsr, .phases, .out])
  func adaptive(workload: Workload.Name) throws {
    let host = try Host.proved()
    var opened: UInt64 = 0
    for subject in Host.subjects where host.terms[subject]?.abilities.register.isHeld == true {
      for (access, exit, price) in [(4, 3, 10), (10, 0, 50), (9, 2, 150), (0, 0, 1)] {
        let abilities = try #require(host.terms[subject]).abilities
        let costs = AdaptiveCosts(access: access, exit: exit, price: price, wholeExit: 100)
        let terms = Terms(abilities, acceptsUnprotected: true, adaptiveCosts: costs)
        let experiment = try Experiment(
          running: Workload(
            workload, msr: subject, parameters: workload == .phases ? ["phaseLength": 6] : [:]),
          entry: host.entries(of: workload)[0], policy: .adaptive, msr: subject, iterations: 40, samples: 40)
        let whole = try experiment.run(on: try KVM(), terms: terms)
        opened += whole.tally["opens"] ?? 0
        for count in [1, 6, 11, 39] {
          var first = experiment
          try first.pause(after: count)
          let stopped = try first.run(on: try KVM(), terms: terms)
          // That it was accepted is in the snapshot.
          let here = Terms(abilities, adaptiveCosts: costs)
          let snapshot = try reread(try #require(stopped.snapshot))
          let record = try PausedExperiment(snapshot).resume(on: try KVM(), terms: here)
          let what: Comment = "\(workload) of \(subject), costs \(access) \(exit) \(price), stopped after \(count)"
          expectSame(record, whole, what)
          #expect(record.tally == whole.tally, what)
        }
      }
    }
    let mayOpen = Host.subjects.contains { host.terms[$0]?.abilities.register.isHeld == true }
    #expect(opened > 0 || !mayOpen || [.chatty, .out].contains(workload), "or nothing was tested")
  }

  @Test("with anything in its state ends in an error or goes on, and never ends the program", .bounded)
  func anyState() throws {
    let experiment = try Experiment(
      .ibrs, entry: try Host.proved().entries[0], policy: .emulate, msr: .kernelGSBase, iterations: 9, samples: 3)
    let (_, snapshot) = try stopped(experiment, after: 5)
    let state = try JSONValue(encoding: snapshot.guest)
    let paths = state.paths.filter { $0.hasPrefix("machine.") || $0.hasPrefix("work.") }
    var random = SeededGenerator(seed: 21)
    var (refused, ended) = (0, 0)
    for number in 0..<150 {
      var changed = state
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        // The one that once ended the program comes first.
        let path = number == 0 ? "machine.cpu.tscKilohertz" : paths.randomElement(using: &random)!
        let value: JSONValue
        switch changed.value(at: path) {
        case .integer(let old)?:
          let new: [Int128] = [0, 1, -1, 1 << 31, 1 << 32, 1 << 63, Int128(UInt64.max), old + 1, old ^ 1 << 40]
          value = .integer(number == 0 ? 1 << 31 : new.randomElement(using: &random)!)
        case .string(let old)?:
          var bytes = Array(old.utf8)
          if !bytes.isEmpty {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = [0x30, 0x41, 0x66].randomElement(using: &random)!
          }
          value = .string(String(decoding: bytes, as: UTF8.self))
        case .bool(let old)?: value = .bool(!old)
        default: continue
        }
        changed = changed.replacing(path, with: value)
      }
      do {
        var parts = SnapshotBytes(parsing: try snapshot.encoded())
        try parts.setState(changed)
        let crafted = try ExperimentSnapshot(decoding: parts.file)
        let record = try resumed(crafted, control: RunControl(timeLimit: .milliseconds(200)))
        ended += record.completed ? 1 : 0
      } catch { refused += 1 }
    }
    #expect(refused > 15 && ended > 15, "\(refused) refused, \(ended) ended")
  }
}
