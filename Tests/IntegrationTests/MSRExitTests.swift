// The MSR accesses that KVM hands to the VMM: by the filter, by their reason, and with every answer. The behaviours are
// those that Linux's own self-test of user-space MSR exits holds KVM to (tools/testing/selftests/kvm).

import CKVM
import GuestImages
import SystemPackage
import Testing

@testable import Hypervisor

@Suite("MSR exits", .needsKVM, .needs(.userSpaceMSR), .needs(.msrFilter))
struct MSRExitTests {
  private static let missing = TestHost.missingMSR
  /// How far apart MSRs are that cannot share a range of the filter.
  private static let stride: UInt32 = 0x0800_0000

  /// What came of a list of accesses, on both sides.
  private struct Result {
    var outcomes: [MSROutcome]
    var accesses: [Exit]
  }

  /// Runs the steps under a filter, with these reasons to hand an access over; after each pause the next filter holds.
  private func run(
    _ steps: [MSRStep], filters: [MSRFilter] = [], reasons: MSRExitReasons,
    answering policy: Answering = Answering(onRead: { .value(UInt64($0.rawValue)) }, onWrite: { _, _ in .accept })
  ) throws -> Result {
    var machine = try Machine(unproved: policy, on: try KVM())
    let guest = MSRGuest(steps)
    try machine.load(guest.program())
    try machine.vm.enableMSRExits(reasons)
    var devices = Devices()
    var log = ExitLog()
    let control = RunControl(timeLimit: .seconds(30))
    var filters = filters[...]
    if let first = filters.popFirst() { try machine.vm.setMSRFilter(first) }
    for pause in 0...steps.count(where: { $0 == .pause }) {
      if pause > 0, let next = filters.popFirst() { try machine.vm.setMSRFilter(next) }
      let end = try machine.run(&devices, observer: &log, control: control)
      #expect(end == .finished)
    }
    let accesses = log.exits.filter { exit in
      switch exit {
      case .readMSR, .writeMSR: true
      default: false
      }
    }
    return Result(outcomes: try guest.outcomes(in: machine.vm), accesses: accesses)
  }

  private func read(_ msr: MSR, _ reason: MSRExitReasons = .filter) -> Exit {
    .readMSR(MSRAccess(msr: msr, reason: reason, value: 0))
  }

  private func write(_ msr: MSR, _ value: UInt64, _ reason: MSRExitReasons = .filter) -> Exit {
    .writeMSR(MSRAccess(msr: msr, reason: reason, value: value))
  }

  // MARK: The filter

  @Test("hand over what the filter denies, whether the processor, KVM or nobody knows the MSR")
  func denied() throws {
    let msrs = [MSR(0xda0), .flushCmd, Self.missing]
    let steps = msrs.flatMap { [.read($0), .write($0, 0x1_0000_0002)] as [MSRStep] } + [.read(.sysenterESP)]
    let result = try run(steps, filters: [.denying(msrs)], reasons: .filter)
    #expect(result.accesses == msrs.flatMap { [read($0), write($0, 0x1_0000_0002)] })
    #expect(result.outcomes.dropLast() == msrs.flatMap { [.read(UInt64($0.rawValue)), .written] as [MSROutcome] }[...])
    #expect(result.outcomes.last == .read(0))
  }

  @Test("fault in the guest with nobody asked, where the filter denies and no reason is enabled")
  func deniedInSilence() throws {
    let result = try run(
      [.read(.sysenterESP), .write(.sysenterESP, 1)], filters: [.denying([.sysenterESP])], reasons: [])
    #expect(result.accesses.isEmpty)
    #expect(result.outcomes == [.fault, .fault])
  }

  @Test("tell reads from writes", .holds(.sysenterESP))
  func oneKind() throws {
    let steps: [MSRStep] = [.write(.sysenterESP, 0x1234), .read(.sysenterESP)]
    let reads = try run(steps, filters: [.denying([.sysenterESP], accesses: .read)], reasons: .filter)
    #expect(reads.accesses == [read(.sysenterESP)])
    #expect(reads.outcomes == [.written, .read(0x175)])
    let writes = try run(steps, filters: [.denying([.sysenterESP], accesses: .write)], reasons: .filter)
    #expect(writes.accesses == [write(.sysenterESP, 0x1234)])
    #expect(writes.outcomes == [.written, .read(0)], "the write was the VMM's, the register is as it was")
  }

  @Test("take everything but what an allow list holds", .holds(.sysenterESP, .sysenterEIP))
  func defaultDeny() throws {
    let allowed = MSRFilter.Range(.sysenterESP...(.sysenterEIP), accesses: .all) { $0 == .sysenterESP }
    let readable = MSRFilter.Range(.kernelGSBase...(.kernelGSBase), accesses: .read) { _ in true }
    let result = try run(
      [
        .write(.sysenterESP, 7), .read(.sysenterESP), .write(.sysenterEIP, 8), .read(.sysenterEIP),
        .read(.kernelGSBase), .write(.kernelGSBase, 9), .read(Self.missing),
      ], filters: [MSRFilter(ranges: [allowed, readable], unlisted: .deny)], reasons: .filter)
    #expect(
      result.accesses == [
        write(.sysenterEIP, 8), read(.sysenterEIP), write(.kernelGSBase, 9), read(Self.missing),
      ])
    #expect(
      result.outcomes == [
        .written, .read(7), .written, .read(0x176), .read(0), .written, .read(UInt64(Self.missing.rawValue)),
      ])
  }

  @Test("follow the filter that holds at the moment", .holds(.sysenterESP, .sysenterEIP))
  func swap() throws {
    let round: [MSRStep] = [.read(.sysenterESP), .read(.sysenterEIP)]
    let result = try run(
      round + [.pause] + round + [.pause] + round,
      filters: [.denying([.sysenterESP]), .denying([.sysenterEIP]), MSRFilter()], reasons: .filter)
    #expect(result.accesses == [read(.sysenterESP), read(.sysenterEIP)])
    #expect(result.outcomes == [.read(0x175), .read(0), .read(0), .read(0x176), .read(0), .read(0)])
  }

  @Test("work with 16 ranges in the filter, each of which counts")
  func sixteenRanges() throws {
    let msrs = (1...16).map { MSR(Self.stride * $0 | 0x77) }
    let filter = MSRFilter.denying(msrs)
    #expect(filter.ranges.count == 16)
    let result = try run(msrs.map { .read($0) }, filters: [filter], reasons: .filter)
    #expect(result.accesses == msrs.map { read($0) })
    #expect(result.outcomes == msrs.map { .read(UInt64($0.rawValue)) })
  }

  @Test("work at both ends of the longest range")
  func longestRange() throws {
    let (first, last) = (MSR(0x4000_0000), MSR(0x4000_0000 + UInt32(MSRFilter.maximumMSRsPerRange) - 1))
    let result = try run([.read(first), .read(last)], filters: [.denying([first, last])], reasons: .filter)
    #expect(result.accesses == [read(first), read(last)])
  }

  @Test("leave the filter as it was when a new one is refused")
  func refusedFilters() throws {
    let vm = try KVM().makeVM()
    let seventeen = MSRFilter.denying((0...16).map { MSR(Self.stride * $0) })
    #expect(seventeen.ranges.count == 17)
    func refusal(_ filter: MSRFilter) -> MSRFilterError? {
      do throws(MSRFilterError) { try vm.setMSRFilter(filter) } catch { return error }
      return nil
    }
    #expect(refusal(seventeen) == .tooManyRanges(17))
    #expect(refusal(MSRFilter(unlisted: .deny)) == .deniesEverything)
    for bit in 2..<32 as Range<UInt32> {
      let range = MSRFilter.Range(.specCtrl...(.specCtrl), accesses: .init(rawValue: 1 << bit))
      #expect(refusal(MSRFilter(ranges: [range])) == .unknownAccess(range.msrs, range.accesses), "bit \(bit)")
    }
    #expect(refusal(MSRFilter()) == nil)
    // The smallest filter that denies everything is one that KVM takes.
    let nothing = MSRFilter.Range(.specCtrl...(.specCtrl), accesses: .all)
    #expect(refusal(MSRFilter(ranges: [nothing], unlisted: .deny)) == nil)
  }

  @Test("hand over reads of FS and GS base while the filter denies them, each by itself, and none once it is lifted")
  func segmentBases() throws {
    let round: [MSRStep] = [.read(.fsBase), .read(.gsBase)]
    func denying(_ msr: MSR) -> MSRFilter { .denying([msr], accesses: .read) }
    let result = try run(
      round + [.pause] + round + [.pause] + round,
      filters: [denying(.fsBase), denying(.gsBase), MSRFilter()], reasons: .filter)
    #expect(result.accesses == [read(.fsBase), read(.gsBase)])
    // In real mode both bases are 0: the segments' selectors are.
    #expect(
      result.outcomes == [
        .read(UInt64(MSR.fsBase.rawValue)), .read(0), .read(0), .read(UInt64(MSR.gsBase.rawValue)), .read(0), .read(0),
      ])
  }

  @Test(
    "are KVM's again once an allow list is lifted, but for the MSR that nobody knows", .missingMSRIsRefused)
  func lifted() throws {
    let unknown = Self.missing
    let readable = MSRFilter.Range(.fmask...(.fmask), accesses: .write) { _ in true }
    let known = MSRFilter.Range(unknown...unknown, accesses: .all) { _ in true }
    let round: [MSRStep] = [
      .write(.fmask, 0), .read(.fmask), .read(.gsBase), .read(unknown), .write(unknown, 0x1234),
    ]
    let result = try run(
      round + [.pause] + round, filters: [MSRFilter(ranges: [readable, known], unlisted: .deny), MSRFilter()],
      reasons: [.filter, .unknown])
    let always = [read(unknown, .unknown), write(unknown, 0x1234, .unknown)]
    #expect(result.accesses == [read(.fmask), read(.gsBase)] + always + always)
    let number = { (msr: MSR) in MSROutcome.read(UInt64(msr.rawValue)) }
    #expect(
      result.outcomes == [
        .written, number(.fmask), number(.gsBase), number(unknown), .written,
        .written, .read(0), .read(0), number(unknown), .written,
      ])
  }

  // MARK: The reasons

  @Test("say UNKNOWN of an MSR that KVM does not know", .missingMSRIsRefused)
  func unknown() throws {
    let steps: [MSRStep] = [.read(Self.missing), .write(Self.missing, 3)]
    let result = try run(steps, reasons: .unknown)
    #expect(result.accesses == [read(Self.missing, .unknown), write(Self.missing, 3, .unknown)])
    #expect(result.outcomes == [.read(UInt64(Self.missing.rawValue)), .written])
    let others = try run(steps, reasons: [.invalid, .filter])
    #expect(others.accesses.isEmpty)
    #expect(others.outcomes == [.fault, .fault], "nobody asked for that reason")
  }

  @Test("say INVAL of a value that the MSR cannot hold")
  func invalid() throws {
    // IA32_EFER is KVM's to check on every processor, and its highest bit is reserved on all of them.
    let (msr, bad) = (MSR.efer, 1 << 63 as UInt64)
    let steps: [MSRStep] = [.read(msr), .write(msr, bad), .read(msr)]
    let result = try run(steps, reasons: .invalid)
    #expect(result.accesses == [write(msr, bad, .invalid)])
    let value = try #require(result.outcomes.first)
    #expect(result.outcomes == [value, .written, value], "the VMM took the write, the register is as it was")
    let others = try run(steps, reasons: [.unknown, .filter])
    #expect(others.accesses.isEmpty)
    #expect(others.outcomes == [value, .fault, value])
  }

  @Test("say FILTER where the filter denies what would be refused anyway")
  func filterFirst() throws {
    let result = try run(
      [.read(Self.missing), .write(.kernelGSBase, TestHost.nonCanonical)],
      filters: [.denying([Self.missing, .kernelGSBase])], reasons: [.filter, .unknown, .invalid])
    #expect(result.accesses == [read(Self.missing), write(.kernelGSBase, TestHost.nonCanonical)])
  }

  @Test("take every set of known reasons and refuse any other bit", .needsValidatedReasons)
  func flags() throws {
    let vm = try KVM().makeVM()
    let known = MSRExitReasons([.invalid, .unknown, .filter]).rawValue
    func refusal(_ raw: UInt32) -> Errno? {
      do throws(KVMError) { try vm.enableMSRExits(MSRExitReasons(rawValue: raw)) } catch { return error.code }
      return nil
    }
    for raw in 0...known { #expect(refusal(raw) == nil) }
    for bit in 0..<32 as Range<UInt32> where known >> bit & 1 == 0 {
      #expect(refusal(1 << bit) == .invalidArgument, "bit \(bit)")
      #expect(refusal(1 << bit | known) == .invalidArgument)
    }
  }

  // MARK: The answers

  @Test("give the guest the value, the completion or the #GP that the VMM answers", .missingMSRIsRefused)
  func answers() throws {
    var register: UInt64 = 0
    // A register that takes even values and cannot be read while it is 0.
    let policy = Answering(
      onRead: { _ in register == 0 ? .fault : .value(register) },
      onWrite: { _, value in
        guard value.isMultiple(of: 2) else { return .fault }
        register = value
        return .accept
      })
    let big = UInt64.max - 1
    let result = try run(
      [
        .read(Self.missing), .write(Self.missing, 1), .write(Self.missing, big), .read(Self.missing),
        .write(Self.missing, 3), .read(Self.missing),
      ], reasons: .unknown, answering: policy)
    #expect(result.outcomes == [.fault, .fault, .written, .read(big), .fault, .read(big)])
    #expect(result.accesses.count == 6, "each access reaches the VMM once")
  }
}
