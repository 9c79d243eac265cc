// The devices behind the test guests, and the log of what they did.

import GuestImages
import Hypervisor

/// Devices that keep what is written to them and answer what is read; the doorbell stops the run.
struct Devices: ExitHandler {
  /// One OUT, or one part of a REP OUTS.
  struct Output: Equatable {
    var port: UInt16
    var size: Int
    var bytes: [UInt8]
  }

  var outputs: [Output] = []
  var inputs: [PortAccess] = []
  var stores: [MMIOAccess] = []
  var loads: [MMIOAccess] = []
  /// What IN gives, byte by byte; all ones when it is used up.
  var supply: [UInt8] = []
  /// What a load without memory behind it gives.
  var loadValue: UInt64 = 0

  /// All bytes that went to a port, in order.
  func bytes(to port: UInt16) -> [UInt8] { outputs.filter { $0.port == port }.flatMap(\.bytes) }

  mutating func portOut(_ access: PortAccess, from cpu: borrowing VirtualCPU) -> Disposition {
    if access.port == UInt16(Port.doorbell) { return .stop }
    let data = cpu.data(of: access)
    // Safe: every bit pattern is a byte, and the span checks the offset.
    let bytes = (0..<data.byteCount).map { unsafe data.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    outputs.append(Output(port: access.port, size: Int(access.size), bytes: bytes))
    return .resume
  }

  mutating func portIn(_ access: PortAccess, to cpu: inout VirtualCPU) -> Disposition {
    inputs.append(access)
    cpu.answer(access, with: supply.prefix(access.byteCount))
    supply.removeFirst(min(access.byteCount, supply.count))
    return .resume
  }

  mutating func mmioWrite(_ access: MMIOAccess) -> Disposition {
    stores.append(access)
    return .resume
  }

  mutating func mmioRead(_ access: MMIOAccess, to cpu: inout VirtualCPU) -> Disposition {
    loads.append(access)
    cpu.answerMMIO(with: loadValue)
    return .resume
  }
}

/// No devices at all: HLT ends the run, and everything else is unanswered.
struct NoDevices: ExitHandler {}

/// Answers nothing, HLT neither.
struct Deaf: ExitHandler {
  mutating func halt() -> Disposition { .unanswered }
}

/// Keeps every exit of a run.
struct ExitLog: ExitObserver {
  var exits: [Exit] = []

  mutating func willAnswer(_ exit: Exit, of cpu: borrowing VirtualCPU) { exits.append(exit) }
}
