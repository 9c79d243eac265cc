// Which kernel entries really switch to ring 0 on this host: each is tried by a tiny guest.

public import GuestImages
public import Hypervisor

/// What a tiny guest saw when it tried a kernel entry.
public struct EntryProof: Equatable, Sendable {
  public let entry: Entry
  /// Whether the kernel ran in ring 0, and user mode went on after it.
  public let works: Bool
  /// What was seen, in a sentence.
  public let seen: String

  /// How long the guest may take: it makes two entries.
  private static let timeLimit = Duration.seconds(2)
  private static let iterations = 2

  /// Tries an entry.
  ///
  /// Throws what making a machine throws; a guest that fails is an answer.
  public init(of entry: Entry, on kvm: borrowing KVM) throws {
    self.entry = entry
    let image = try GuestImage(.entryProof, entry: entry)
    do {
      let mailbox = try Self.run(image, on: kvm)
      let ring = mailbox.entryCS & 3
      works = ring == 0 && mailbox.kernelEntries == UInt64(Self.iterations)
      seen = works ? "the kernel was entered in ring 0" : "the kernel's code ran in ring \(ring)"
    } catch let error as ExperimentError {
      works = false
      if case .guestFault(let fault) = error { seen = "\(fault)" } else { seen = "\(error)" }
    } catch let error as RunError {
      works = false
      seen = error.summary
    }
  }

  /// The first entry that works, in the order of preference.
  ///
  /// Throws `ExperimentError.noEntry` when none does.
  public static func best(of candidates: [Entry], on kvm: borrowing KVM) throws -> EntryProof {
    var seen: [(Entry, String)] = []
    for entry in candidates {
      let proof = try EntryProof(of: entry, on: kvm)
      if proof.works { return proof }
      seen.append((entry, proof.seen))
    }
    throw ExperimentError.noEntry(seen)
  }

  /// What a guest without any policy writes into its mailbox: how it sees the processor.
  static func report(on kvm: borrowing KVM) throws -> Mailbox {
    try run(try GuestImage(Workload(.bare), entry: .none), on: kvm)
  }

  private static func run(_ image: GuestImage, on kvm: borrowing KVM) throws -> Mailbox {
    var machine = try Machine(on: kvm, policy: NoPolicy())
    try machine.load(image, orders: [UInt32(iterations)])
    var ports = GuestPorts()
    var observer = NoObserver()
    let end = try machine.run(&ports, observer: &observer, control: RunControl(timeLimit: timeLimit))
    guard end == .finished else { throw ExperimentError.mailbox("the guest did not come back") }
    let mailbox = try machine.mailbox()
    if let fault = mailbox.fault { throw ExperimentError.guestFault(fault) }
    return mailbox
  }
}

/// No policy: for guests that are about something else.
struct NoPolicy: Policy {
  let subject = MSR.specCtrl
  var intercepts: [MSR] { [] }
  func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError) {}
  func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue {
    SubjectValue(guest: 0, register: nil)
  }
  static func support(on abilities: HostAbilities) -> PolicySupport { .supported(Protection(.none, "no policy")) }
}
