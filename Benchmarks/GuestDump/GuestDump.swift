// Writes a guest as `spectrap run` would load it into a file, so that the minimal C loop can run the very same guest:
// Benchmarks/GuestLoopC. Needs no /dev/kvm.
//
// The file: a header of five 64-bit words (where the sample records stand, how many there are, the port that ends the
// run, the length of guest memory, how many pieces follow), a kvm_regs, a kvm_sregs, then the pieces: address, length,
// bytes.

import CKVM
import Experiments
import GuestImages
import Hypervisor
import SystemPackage

@main
struct GuestDump {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 6, let workload = Workload.Name(rawValue: arguments[1]),
      let entry = Entry(rawValue: arguments[2]), let iterations = Int(arguments[3]), let samples = Int(arguments[4])
    else {
      _ = try FileDescriptor.standardError.writeAll("usage: GuestDump WORKLOAD ENTRY ITERATIONS SAMPLES FILE\n".utf8)
      throw Errno.invalidArgument
    }
    // The policy has no part in the image.
    let experiment = try Experiment(
      workload, entry: entry, policy: .passthrough, iterations: iterations, samples: samples)
    let image = try GuestImage(experiment.workload, entry: entry)
    guard case .long(let rip, let rsp) = image.start else { throw Errno.notSupported }
    let pieces = image.contents + GuestImage.sampleRecords(experiment.iterationsPerSample)

    var registers = kvm_regs()
    registers.rip = rip
    registers.rsp = rsp
    registers.rflags = 2
    var special = kvm_sregs()
    special.enterLongMode()

    var dump: [UInt8] = []
    func append(_ words: UInt64...) {
      for word in words { dump += (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
    }
    append(
      Layout.samples, UInt64(samples), UInt64(Port.doorbell), UInt64(Layout.memorySize), UInt64(pieces.count))
    // Safe: both are plain structures of the kernel's without padding that matters.
    unsafe withUnsafeBytes(of: registers) { unsafe dump.append(contentsOf: $0) }
    unsafe withUnsafeBytes(of: special) { unsafe dump.append(contentsOf: $0) }
    for piece in pieces {
      append(piece.address, UInt64(piece.bytes.count))
      dump += piece.bytes
    }
    let file = try FileDescriptor.open(
      FilePath(arguments[5]), .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    try file.closeAfter { _ = try file.writeAll(dump) }
  }
}
