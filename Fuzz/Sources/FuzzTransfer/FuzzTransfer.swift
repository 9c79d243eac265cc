// Any bytes as what the other side of a migration says: the first decides which side that is. The mutator keeps the
// checksums right.
// Facts: Sources/Migration/Transfer/Message.swift; LLVM, compiler-rt/include/fuzzer/FuzzerInterface.h.

import Glibc
import Mutation
import Rendering

@testable import Experiments
@testable import Hypervisor
@testable import Migration

/// More would not fit into a socket that nobody reads.
private let maximumInput = 1 << 16

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard size > 0, size <= maximumInput else { return 0 }
  // Safe: libFuzzer's buffer has `size` bytes.
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: size))
  var ends: (CInt, CInt) = (0, 0)
  // Safe: room for the two descriptors.
  let made = unsafe withUnsafeMutableBytes(of: &ends) {
    unsafe socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, $0.assumingMemoryBound(to: CInt.self).baseAddress!)
  }
  guard made == 0 else { return 0 }
  let here = Connection(owning: ends.0)
  let there = Connection(owning: ends.1)
  var size = CInt(4 * maximumInput)
  // Safe: the number lives for the length of the call.
  unsafe setsockopt(ends.1, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<CInt>.size))
  try? there.send(Array(bytes.dropFirst()), by: .now + .seconds(5))
  shutdown(ends.1, CInt(SHUT_WR))
  if bytes[0].isMultiple(of: 2) { receive(from: here) } else { send(to: here) }
  _ = consume there
  return 0
}

/// The destination's part.
private func receive(from connection: consuming Connection) {
  do throws(TransferError) {
    let receiver = try Receiver(connection, offering: HostClass.ibrsAll.offer)
    let snapshot = try receiver.receive(as: ExperimentState.self, unless: { false })
    _ = try? Experiment(resuming: snapshot)
    _ = try? snapshot.document()
    _ = try? MovingGuest(snapshot)
    _ = receiver.takeOver(unless: { false })
  } catch { _ = "\(error)" }
}

/// The source's part.
private func send(to connection: consuming Connection) {
  do throws(TransferError) {
    let sender = Sender(over: connection)
    let offer = try sender.offer()
    for source in HostClass.allCases {
      for policy in PolicyName.allCases {
        guard let guest = MovingGuest(startedAt: source.offer, under: policy) else { continue }
        _ = Decision(of: guest, to: offer, under: policy).reason
      }
    }
    try sender.propose(memory: [GuestPhysicalRange(start: 0, count: 4096)])
    sender.abort("enough")
  } catch { _ = "\(error)" }
}

@_cdecl("LLVMFuzzerCustomMutator")
public func mutateStream(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ maximum: Int, _ seed: UInt32) -> Int {
  var random = Seeded(seed)
  return unsafe inBuffer(data, size, maximum) { stream in
    guard stream.count > 1, Int.random(in: 0..<16, using: &random) > 0 else { return mutated(stream, atMost: maximum) }
    var messages: [(kind: UInt64, payload: [UInt8])] = []
    var rest = stream.dropFirst()
    while rest.count >= Message.headerSize, messages.count < 64 {
      let (kind, length) = (rest.number(at: rest.startIndex, bytes: 4), rest.number(at: rest.startIndex + 8, bytes: 8))
      rest = rest.dropFirst(Message.headerSize)
      let payload = rest.prefix(Int(min(length, UInt64(rest.count))))
      messages.append((kind, Array(payload)))
      rest = rest.dropFirst(payload.count)
    }
    let index = Int.random(in: 0...messages.count, using: &random)
    if index == messages.count {
      messages.append((UInt64.random(in: 0...10, using: &random), []))
    } else {
      switch Int.random(in: 0..<8, using: &random) {
      case 0: messages[index].kind = UInt64.random(in: 0...10, using: &random)
      case 1: messages.remove(at: index)
      case 2: messages.append(messages[index])
      default: messages[index].payload = mutatedJSON(messages[index].payload, atMost: maximum, with: &random)
      }
    }
    return [stream[0]]
      + messages.flatMap {
        UInt32(truncatingIfNeeded: $0.kind).littleEndianBytes + $0.payload.checksum.littleEndianBytes
          + UInt64($0.payload.count).littleEndianBytes + $0.payload
      }
  }
}
