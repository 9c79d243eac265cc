// Any bytes as a snapshot's file: decoded, and handed on to everything that uses one without KVM. The mutator keeps the
// checksums right.
// Facts: docs/snapshots.md; LLVM, compiler-rt/include/fuzzer/FuzzerInterface.h.

import GuestImages
import Measurement
import Migration
import Mutation
import Rendering

@testable import Experiments
@testable import Hypervisor

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  // Safe: libFuzzer's buffer has `size` bytes.
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: size))
  let snapshot: ExperimentSnapshot
  do throws(SnapshotError) { snapshot = try ExperimentSnapshot(decoding: bytes) } catch {
    _ = "\(error)"
    return 0
  }
  for policy in [nil] + PolicyName.allCases.map(Optional.some) {
    do throws(ExperimentError) { _ = try Experiment(resuming: snapshot, under: policy) } catch { _ = "\(error)" }
  }
  _ = try? snapshot.document()
  report(snapshot)
  if let guest = try? MovingGuest(snapshot) {
    for host in HostClass.allCases {
      for policy in PolicyName.allCases { _ = Decision(of: guest, to: host.offer, under: policy).reason }
    }
  }
  // What was read is written and read again as the same.
  guard let again = try? ExperimentSnapshot(decoding: snapshot.encoded()) else { fatalError("not read again") }
  precondition(again.guest.machine == snapshot.guest.machine && again.pages == snapshot.pages)
  return 0
}

/// The record and report of a guest that goes on and is stopped at once, as far as they come out of the file.
private func report(_ snapshot: ExperimentSnapshot) {
  let (machine, work) = (snapshot.guest.machine, snapshot.guest.work)
  guard let experiment = try? Experiment(resuming: snapshot),
    let mailbox = Mailbox(page: memory(of: snapshot, at: Layout.mailbox, pages: 1))
  else { return }
  let records = SampleRecord.records(in: memory(of: snapshot, at: Layout.samples, pages: 4))
  for stopped in [nil, RunControl.Stop.timeLimit] {
    let record = RunRecord(
      experiment: experiment, protection: Protection(.always, ""), stopped: stopped,
      interceptsSubject: work.interception,
      counters: machine.counters, kvmStatistics: work.kvmStatistics, whyNoStatistics: nil,
      mailbox: mailbox,
      samples: Array(records.filter { $0.iterations > 0 }.prefix(while: \.isComplete)),
      firstOwnSample: work.samplesTaken + (work.isBetweenSamples ? 0 : 1), subjectAtStart: work.subjectAtStart,
      subjectAtEnd: SubjectValue(guest: machine.subjectValue, register: machine.subjectValue),
      contract: machine.contract,
      hostCycles: work.hostCycles, hostCyclesHere: work.hostCycles, rates: nil, disturbance: .init(), roundTrips: nil,
      tally: work.tally, origin: snapshot.guest.origin, warnings: snapshot.guest.warnings, snapshot: nil)
    do throws(ExperimentError) { try record.verify() } catch { _ = "\(error)" }
    _ = RunReport(record, host: nil, entryChoice: "")
  }
}

private func memory(of snapshot: ExperimentSnapshot, at address: UInt64, pages count: UInt64) -> [UInt8] {
  (0..<count).flatMap { index in
    snapshot.pages.first { $0.address.rawValue == address + index * 4096 }?.bytes ?? [UInt8](repeating: 0, count: 4096)
  }
}

@_cdecl("LLVMFuzzerCustomMutator")
public func mutateFile(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ maximum: Int, _ seed: UInt32) -> Int {
  var random = Seeded(seed)
  return unsafe inBuffer(data, size, maximum) { file in
    let (header, record) = (64, 8 + 4096)
    // Now and then anything goes, checksums included.
    guard file.count >= header, maximum > header, Int.random(in: 0..<16, using: &random) > 0 else {
      return mutated(file, atMost: maximum)
    }
    let length = min(Int(truncatingIfNeeded: file.number(at: 16, bytes: 8) & 0xff_ffff), file.count - header)
    var state = Array(file[header..<header + length])
    var records = Array(file[(header + length)...])
    if Int.random(in: 0..<8, using: &random) > 0 {
      state = mutatedJSON(state, atMost: maximum - header, with: &random)
    } else {
      // An address, or a page more or less.
      switch Int.random(in: 0..<4, using: &random) {
      case 3: records = mutated(records, atMost: maximum - header - state.count)
      case 0 where records.count >= record:
        let start = Int.random(in: 0..<records.count / record, using: &random) * record
        let address = UInt64.random(in: 0...0x101, using: &random) << 12
        records.replaceSubrange(start..<start + 8, with: address.littleEndianBytes)
      case 1:
        records +=
          UInt64.random(in: 0...0x1_0100, using: &random).littleEndianBytes + [UInt8](repeating: 1, count: 4096)
      default: records.removeLast(min(records.count, record))
      }
    }
    records.removeLast(max(0, min(records.count, header + state.count + records.count - maximum)))
    var fixed = Array("SPECTRAP".utf8) + (1 as UInt64).littleEndianBytes + UInt64(state.count).littleEndianBytes
    fixed += UInt64(records.count / record).littleEndianBytes
    fixed += state.checksum.littleEndianBytes + records.checksum.littleEndianBytes + [UInt8](repeating: 0, count: 20)
    return fixed + fixed.checksum.littleEndianBytes + state + records
  }
}
