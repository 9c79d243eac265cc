// What a person reads when KVM cannot be opened: what was attempted, what came back, what they can do.

import CKVM
import Glibc
import SystemPackage
import Testing

@testable import Host
@testable import Hypervisor

@Suite("Opening KVM")
struct KVMErrorTests {
  private func refusal(of path: FilePath) -> KVMError? {
    do { _ = try KVM(path: path) } catch { return error }
    return nil
  }

  @Test("says that a file is no KVM device", arguments: ["/dev/null", "/proc/self/exe", "/tmp", "/"])
  func notKVM(path: String) throws {
    let error = try #require(refusal(of: FilePath(path)))
    #expect(error.operation == .open(FilePath(path)))
    // A program that is running is not opened for writing, which says the same in other words.
    #expect("\(error)".hasPrefix("\(path): "))
    if error.code != .textFileBusy { #expect("\(error)".hasSuffix("; this is not a KVM device")) }
  }

  @Test("says which module to load where the file is missing")
  func missing() throws {
    let error = try #require(refusal(of: "/no/such/kvm"))
    #expect(
      "\(error)"
        == "/no/such/kvm: No such file or directory; load kvm_intel or kvm_amd, and enable VMX or SVM in the firmware")
  }

  @Test("says how to get permission, by whose the device is")
  func permission() throws {
    let advice = try #require(DeviceAccess(to: "/dev/null")).advice
    #expect("\(KVMError(.open("/dev/null"), .permissionDenied))" == "/dev/null: Permission denied; \(advice)")
    #expect("\(KVMError(.open("/no/such/kvm"), .permissionDenied))".hasSuffix("; run as root"))
  }

  @Test(
    "names the group that the device belongs to, and no group that would not help",
    arguments: [
      (0o660, 36, ["root"], 1000, "add yourself to the group \"kvm\" and log in again, or run as root"),
      (0o660, 36, ["root", "me"], 1000, "log in again"), (0o660, 36, [], 36, "this process is in it"),
      (0o660, 78, [], 1000, "the group number 78"), (0o660, 0, [], 1000, "the group root may open it; run as root"),
      (0o600, 36, [], 1000, "its group may not open it either; run as root"),
      (0o640, 36, ["me"], 1000, "its group may not open it either"),
    ] as [(mode_t, gid_t, Set<String>, gid_t, String)])
  func advice(mode: mode_t, group: gid_t, members: Set<String>, own: gid_t, words: String) {
    let access = DeviceAccess(
      mode: mode, group: group, groupName: group == 36 ? "kvm" : nil, members: members, isRoot: false, groups: [own],
      user: "me")
    #expect(access.advice.contains(words), "\(access.advice)")
    #expect(access.advice.contains("\"kvm\"") == (group == 36 && mode == 0o660))
  }

  @Test("does not tell root to become root")
  func root() {
    let access = DeviceAccess(
      mode: 0o660, group: 36, groupName: "kvm", members: [], isRoot: true, groups: [0], user: nil)
    #expect(access.advice.contains("a container, a sandbox or a missing capability"))
  }

  @Test("says which module to load where the device has no driver")
  func noDriver() {
    for code in [Errno.noSuchAddressOrDevice, .operationNotSupportedByDevice] {
      #expect("\(KVMError(.open("/dev/kvm"), code))".contains("load kvm_intel or kvm_amd"))
    }
  }
}

@Suite("An error of KVM's")
struct KVMErrorTextTests {
  @Test("names the operation that failed")
  func names() {
    let cases: [(KVMError.Operation, String)] = [
      (.map(bytes: 4096), "mapping 4096 bytes: Cannot allocate memory"),
      (.readStatistics, "reading KVM's statistics: Cannot allocate memory"),
      (.request(.createVM), "KVM refused KVM_CREATE_VM: Cannot allocate memory"),
      (.request(.setXCRs), "KVM refused KVM_SET_XCRS: Cannot allocate memory"),
      (.request(.irqfd), "KVM refused request 0x4020ae76: Cannot allocate memory"),
      (.duplicate, "making a second descriptor: Cannot allocate memory"),
      (
        .checkVersion(found: 11),
        "KVM has API version 11, Spectrap needs version 12; use Linux 2.6.22 or later"
      ),
      (.arm, "preparing the run's time limit: Cannot allocate memory"),
    ]
    for (operation, text) in cases { #expect("\(KVMError(operation, .noMemory))" == text) }
  }

  @Test("names the likely cause where a limit or a filter of this process is behind it")
  func causes() {
    let cases: [(KVMError.Operation, Errno, [String])] = [
      (.request(.run), .resourceTemporarilyUnavailable, ["KVM refused KVM_RUN", "ulimit -u", "pids.max"]),
      (.request(.createVM), .resourceTemporarilyUnavailable, ["KVM refused KVM_CREATE_VM", "ulimit -u"]),
      (.request(.run), .noMemory, ["memory.max", "pids.max"]),
      (.request(.run), .notPermitted, ["seccomp"]),
      (.arm, .resourceTemporarilyUnavailable, ["time limit", "ulimit -i"]),
    ]
    for (operation, code, words) in cases {
      let text = "\(KVMError(operation, code))"
      for word in words { #expect(text.contains(word), "\(text)") }
    }
    #expect("\(KVMError(.request(.run), .badAddress))" == "KVM refused KVM_RUN: Bad address")
  }

  @Test("is a shortage where the same call may succeed later, and is found behind the library's other errors")
  func shortage() {
    for code in [Errno.noMemory, .resourceTemporarilyUnavailable, .tooManyOpenFiles, .tooManyOpenFilesInSystem] {
      #expect(KVMError(.request(.run), code).isShortage)
    }
    for code in [Errno.invalidArgument, .notPermitted, .badAddress] {
      #expect(!KVMError(.request(.run), code).isShortage)
    }
    let error = KVMError(.request(.getMSRs), .noMemory)
    let behind: [any Error] = [
      error, RunError.kvm(error), GuestMemoryError.refused(error), MSRAccessError.refused(error),
      MSRFilterError.refused(error), PolicyError.msr(.refused(error)), PolicyError.filter(.refused(error)),
      RunError.policy(.msr(.refused(error))), VirtualCPUStateError.kvm(error),
    ]
    for other in behind { #expect(KVMError(behind: other) == error, "\(other)") }
    #expect(KVMError(behind: MSRAccessError.unreadable(.specCtrl, index: 0)) == nil, "an answer of KVM's")
  }

  @Test("says that KVM has none only where it is ENOTTY or EINVAL")
  func absent() throws {
    for code in [Errno(rawValue: ENOTTY), .invalidArgument] {
      let nothing: Int? = try KVMError(.request(.getClock), code).absent()
      #expect(nothing == nil)
    }
    for code in [Errno.noMemory, .ioError, .notPermitted, .interrupted] {
      let error = KVMError(.request(.getClock), code)
      #expect(throws: error) { let _: Int? = try error.absent() }
    }
  }

  @Test("of an MSR names the register, the value and the place in the list")
  func msr() {
    #expect(
      "\(MSRAccessError.unreadable(.specCtrl, index: 300))"
        == "KVM does not read IA32_SPEC_CTRL (0x48), number 300 in the list")
    #expect(
      "\(MSRAccessError.unwritable(MSREntry(.specCtrl, 0x8000), index: 0))"
        == "KVM does not write 0x8000 to IA32_SPEC_CTRL (0x48), number 0 in the list")
  }
}
