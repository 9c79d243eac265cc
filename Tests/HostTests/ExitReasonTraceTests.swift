// Counting exits by KVM's reasons: what the kernel's files say, and why they cannot be used.

@testable import Host
import SystemPackage
import TestSupport
import Testing

@Suite("Exits by KVM's reason")
struct ExitReasonTraceTests {
  /// As Linux 6.1 has it, shortened.
  private static let format = """
    name: kvm_exit
    ID: 1234
    format:
    \tfield:unsigned int exit_reason;\toffset:8;\tsize:4;\tsigned:0;
    \tfield:u32 isa;\toffset:24;\tsize:4;\tsigned:0;

    print fmt: "vcpu %u reason %s%s%s rip 0x%lx", REC->vcpu_id, (REC->isa == 1) ? __print_symbolic(REC->exit_reason & \
    0xffff, { 0, "EXCEPTION_NMI" }, { 10, "CPUID" }, { 32, "MSR_WRITE" }) : __print_symbolic(REC->exit_reason, { 0x072, \
    "cpuid" }, { 0x07c, "msr" }, { -1, "invalid_guest_state" }), (REC->isa == 1 && REC->exit_reason & ~0xffff) ? " " : \
    "", (REC->isa == 1) ? __print_flags(REC->exit_reason & ~0xffff, " ", { 0x80000000, "FAILED_VMENTRY" }) : "", \
    REC->guest_rip
    """

  /// Two histograms on the event: another's, and this thread's.
  private static let histogram = """
    # event histogram
    #
    # trigger info: hist:keys=isa,exit_reason:vals=hitcount:sort=hitcount:size=1024 if common_pid == 12 [active]
    #

    { isa:          1, exit_reason:         32 } hitcount:          9

    Totals:
        Hits: 9
        Entries: 1
        Dropped: 0


    # event histogram
    #
    # trigger info: hist:keys=isa,exit_reason:vals=hitcount:sort=hitcount:size=1024 if common_pid == 123 [active]
    #

    { isa:          1, exit_reason:         10 } hitcount:          1
    { isa:          1, exit_reason: 2147483682 } hitcount:          2
    { isa:          1, exit_reason:         32 } hitcount:       2000

    Totals:
        Hits: 2003
        Entries: 3
        Dropped: 0
    """

  private static func tree(histogram: String? = histogram) throws -> FixtureTree {
    let event = "sys/kernel/tracing/events/kvm/kvm_exit"
    var files = ["\(event)/format": format, "\(event)/trigger": ""]
    files["\(event)/hist"] = histogram
    let tree = try FixtureTree(files)
    try tree.link("proc/self/ns/pid", to: "pid:[4026531836]")
    return tree
  }

  @Test("are those of this thread's histogram, under the names of the event's format")
  func counts() throws {
    let tree = try Self.tree()
    let trace = try ExitReasonTrace(files: tree.files, thread: 123)
    #expect(try trace.counts() == ["CPUID": 1, "MSR_WRITE": 2000, "reason 0x80000022": 2])
  }

  @Test("are asked for by one trigger, which is removed at the end")
  func trigger() throws {
    let tree = try Self.tree()
    let path = "sys/kernel/tracing/events/kvm/kvm_exit/trigger"
    let order = "hist:keys=isa,exit_reason:size=1024 if common_pid == 123\n"
    do {
      let trace = try ExitReasonTrace(files: tree.files, thread: 123)
      // A plain file keeps what was written, so that the stale one's removal stands before it.
      #expect(tree.files.text(path) == "!\(order)\(order)")
      _ = trace
    }
    #expect(tree.files.text(path) == "!\(order)\(order)!\(order)")
  }

  @Test("have SVM's names where the processor is AMD's, and a negative number is an error's")
  func svm() {
    let names = ExitReasonTrace.names(in: Self.format)
    #expect(names[.init(isa: 2, reason: 0x7c)] == "msr" && names[.init(isa: 2, reason: 0xffff_ffff)] != nil)
    #expect(names[.init(isa: 1, reason: 0)] == "EXCEPTION_NMI" && names.count == 6)
  }

  @Test("are no result where some were lost, or the histogram is another's or none")
  func lost() throws {
    let lossy = Self.histogram.replacing("Dropped: 0", with: "Dropped: 7")
    for (text, error) in [
      (lossy, ExitReasonTraceError.lost(7)), ("", .unreadable), ("# no hist\n{ isa: x }", .unreadable),
      (Self.histogram.replacing("== 123", with: "== 1234"), .unreadable),
      (Self.histogram.replacing("2000", with: "many"), .unreadable),
    ] {
      let tree = try Self.tree(histogram: text)
      let trace = try ExitReasonTrace(files: tree.files, thread: 123)
      #expect(throws: error) { try trace.counts() }
    }
  }

  @Test("cannot be had without tracefs, KVM's events, histograms, or in a PID namespace: each says what to do")
  func refusals() throws {
    func refusal(_ tree: FixtureTree) -> ExitReasonTraceError? {
      #expect(throws: ExitReasonTraceError.self) { try ExitReasonTrace(files: tree.files, thread: 1) }
    }
    #expect(try refusal(FixtureTree()) == .notMounted)
    #expect(try refusal(FixtureTree(["sys/kernel/tracing/events/header": ""])) == .noEvent)
    #expect(try refusal(Self.tree(histogram: nil)) == .noHistograms)
    let contained = try Self.tree()
    try contained.link("proc/self/ns/pid", to: "pid:[4026532000]")
    #expect(refusal(contained) == .otherNamespace)
    for error in [ExitReasonTraceError.notMounted, .noEvent, .noHistograms, .otherNamespace, .unreadable, .lost(3)] {
      #expect("\(error)".hasPrefix("KVM's exits cannot be counted by reason: ") && !error.isPermission)
    }
    #expect(ExitReasonTraceError.call("trigger", .permissionDenied).isPermission)
  }
}
