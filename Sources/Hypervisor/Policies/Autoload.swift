// autoload: three MSR lists are processed around every entry, whether anything has changed or not. User space cannot
// choose VMX's own lists through KVM, so this models them one level up: around every KVM_RUN, on the vCPU's registers.
// Facts: Intel SDM vol. 3C, 27.4, 28.4 and 28.6 (see AutoloadLists).

import CKVM

/// The policy `autoload`.
///
/// While the guest runs, the vCPU's registers hold the guest's values; otherwise the host's.
public struct Autoload: Policy, ~Copyable {
  public static var name: String { PolicyName.autoload.rawValue }
  public static var mechanism: PolicyMechanism? { .model }
  public let subject: MSR
  public var intercepts: [MSR] { [] }
  /// How often each list was processed completely.
  public private(set) var processed = Processed()

  /// A count for each list.
  public struct Processed: Equatable, Sendable {
    public var entryLoads: UInt64 = 0
    public var exitStores: UInt64 = 0
    public var exitLoads: UInt64 = 0
  }

  /// The lists, or the MSRs whose values are read from the vCPU before it runs.
  private let source: Source
  private enum Source {
    case lists(AutoloadLists), registers([MSR])
  }

  private var entryLoad = MSRArea([])
  private var exitStore = MSRArea([])
  private var exitLoad = MSRArea([])
  /// For each entry of the exit-store list, where its value goes in the entry-load list.
  private var destinations: [Int?] = []
  /// Whether the lists are ready for the first entry.
  private var isFilled = false
  /// The guest's value of the subject from another host; nil for the vCPU's own.
  private var adopted: UInt64?
  /// Whether the lists load IA32_EFER, which holds the guest's mode.
  private var loadsMode = false

  /// A policy whose guest owns these MSRs while it runs; guest and host both start with the vCPU's values.
  public init(subject: MSR = .specCtrl, listing msrs: [MSR]? = nil) {
    self.subject = subject
    source = .registers(msrs ?? [subject])
  }

  /// A policy with exactly these lists.
  public init(subject: MSR = .specCtrl, lists: AutoloadLists) {
    self.subject = subject
    source = .lists(lists)
  }

  /// The MSRs besides the subject that are loaded for the guest, without those that may not be in a list.
  public var otherRegisters: [MSR] {
    let loaded: [MSR]
    switch source {
    case .lists(let lists): loaded = (lists.entryLoad + lists.exitLoad).map(\.msr)
    case .registers(let msrs): loaded = msrs
    }
    return Set(loaded).subtracting([subject]).sorted().filter { AutoloadLists.forbidden($0, in: .entryLoad) == nil }
  }

  /// Checks that a guest could write what is loaded for it.
  ///
  /// The hardware loads no MSR whose WRMSR would fault (SDM 27.4), but KVM lets the VMM write more than the guest.
  ///
  /// - Throws: `PolicyError.refused` for the first MSR without a proof that a guest can write it.
  public mutating func settle(on terms: Terms) throws(PolicyError) {
    for msr in otherRegisters {
      let what = "it loads \(msr) (\(msr.hex)), which"
      switch terms.otherRegisters[msr] {
      case .held, .accepted, .moving: continue
      case nil: throw .refused(policy: Self.name, reason: "\(what) guests were not proved to be able to write")
      case .unreadable?: throw .refused(policy: Self.name, reason: "\(what) this KVM does not read")
      case let proof?:
        throw .refused(policy: Self.name, reason: "\(what) no guest here can write: \(proof.text)")
      }
    }
  }

  public mutating func prepare(_ cpu: inout VirtualCPU) throws(PolicyError) {
    switch source {
    case .lists(let lists): fill(lists)
    case .registers(let msrs):
      do {
        // Checked before reading, so that a forbidden MSR is not reported as unreadable.
        _ = try AutoloadLists(entryLoad: msrs.map { MSREntry($0, 0) }, exitStore: msrs, exitLoad: [])
      } catch { throw .list(error) }
      do { _ = try cpu.readMSRs(msrs) } catch { throw .msr(error) }
    }
  }

  /// Reads the vCPU's values, now that it is about to run.
  public mutating func start(_ cpu: borrowing VirtualCPU) throws(PolicyError) {
    guard !isFilled, case .registers(let msrs) = source else { return }
    var entries: [MSREntry] = []
    do { for (msr, value) in zip(msrs, try cpu.readMSRs(msrs)) { entries.append(MSREntry(msr, value)) } } catch {
      throw .msr(error)
    }
    do { fill(try AutoloadLists(entryLoad: entries, exitStore: msrs, exitLoad: entries)) } catch { throw .list(error) }
  }

  private mutating func fill(_ lists: AutoloadLists) {
    entryLoad = MSRArea(lists.entryLoad)
    exitStore = MSRArea(lists.exitStore.map { MSREntry($0, 0) })
    exitLoad = MSRArea(lists.exitLoad)
    destinations = lists.exitStore.map { msr in lists.entryLoad.lastIndex { $0.msr == msr } }
    loadsMode = (lists.entryLoad + lists.exitLoad).contains { $0.msr == .efer }
    if let adopted { adopt(adopted) }
    isFilled = true
  }

  public mutating func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError) {
    adopted = value
    adopt(value)
  }

  private mutating func adopt(_ value: UInt64) {
    for index in 0..<entryLoad.count where entryLoad[index].msr == subject { entryLoad[index].value = value }
  }

  /// The number of the entry, counted from 1, that changes the mode under paging; nil if there is none.
  ///
  /// The guest's WRMSR would fault on it (SDM, volume 3C, 27.4, on IA32_EFER.LME), but KVM lets the VMM write it.
  private func entryThatChangesMode(_ list: borrowing MSRArea, of cpu: borrowing VirtualCPU) throws(PolicyError)
    -> Int?
  {
    let special: kvm_sregs
    do { special = try cpu.specialRegisters() } catch { throw .msr(.refused(error)) }
    let (paging, longMode) = (UInt64(1) << 31, UInt64(1) << 8)
    guard special.cr0 & paging != 0 else { return nil }
    for index in 0..<list.count where list[index].msr == .efer {
      if (list[index].value ^ special.efer) & longMode != 0 { return index + 1 }
    }
    return nil
  }

  public mutating func willEnter(_ cpu: inout VirtualCPU, of vm: borrowing VirtualMachine) throws(PolicyError) {
    if !isFilled { try start(cpu) }
    if loadsMode, let number = try entryThatChangesMode(entryLoad, of: cpu) {
      throw .entryLoad(index: number, entryLoad[number - 1])
    }
    do { try entryLoad.load(into: &cpu) } catch {
      switch error {
      case .unwritable(let entry, let index): throw .entryLoad(index: index + 1, entry)
      default: throw .msr(error)
      }
    }
    processed.entryLoads &+= 1
  }

  public mutating func didExit(_ cpu: inout VirtualCPU) throws(PolicyError) {
    do { try exitStore.store(from: cpu) } catch {
      switch error {
      case .unreadable(let msr, let index): throw .exitStore(index: index + 1, msr)
      default: throw .msr(error)
      }
    }
    for (index, destination) in destinations.enumerated() {
      if let destination { entryLoad[destination].value = exitStore[index].value }
    }
    processed.exitStores &+= 1
    if loadsMode, let number = try entryThatChangesMode(exitLoad, of: cpu) {
      throw .exitLoad(index: number, exitLoad[number - 1])
    }
    do { try exitLoad.load(into: &cpu) } catch {
      switch error {
      case .unwritable(let entry, let index): throw .exitLoad(index: index + 1, entry)
      default: throw .msr(error)
      }
    }
    processed.exitLoads &+= 1
  }

  public func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue {
    let register = try cpu.read(subject)
    return SubjectValue(guest: entryLoad.value(of: subject) ?? adopted ?? register, register: register)
  }

  /// The guest's value of a listed MSR, as the next entry will load it; nil if it is not listed.
  public func guestValue(of msr: MSR) -> UInt64? { entryLoad.value(of: msr) }

  public var tally: [(name: String, count: UInt64)] {
    [
      ("entryLoads", processed.entryLoads), ("exitStores", processed.exitStores), ("exitLoads", processed.exitLoads),
    ]
  }

  public static func support(on terms: Terms) -> PolicySupport {
    if let reason = AutoloadLists.forbidden(terms.abilities.subject, in: .entryLoad) { return .refused(reason) }
    return .ofOwnedRegister(terms.abilities)
  }
}

/// One list of up to 512 entries, in pieces that each fit one KVM request.
private struct MSRArea: ~Copyable, Sendable {
  private var pieces: [3 of MSRList?]
  let count: Int

  init(_ entries: [MSREntry]) {
    precondition(entries.count <= 3 * MSRList.maximumCount)
    count = entries.count
    pieces = .init { piece in
      let start = piece * MSRList.maximumCount
      return start < entries.count ? MSRList(entries[start...].prefix(MSRList.maximumCount)) : nil
    }
  }

  subscript(index: Int) -> MSREntry {
    get { pieces[index / MSRList.maximumCount]![index % MSRList.maximumCount] }
    set { pieces[index / MSRList.maximumCount]![index % MSRList.maximumCount] = newValue }
  }

  mutating func load(into cpu: inout VirtualCPU) throws(MSRAccessError) {
    for piece in pieces.indices where pieces[piece] != nil {
      do { try cpu.load(&pieces[piece]!) } catch { throw error.moved(by: piece * MSRList.maximumCount) }
    }
  }

  mutating func store(from cpu: borrowing VirtualCPU) throws(MSRAccessError) {
    for piece in pieces.indices where pieces[piece] != nil {
      do { try cpu.store(into: &pieces[piece]!) } catch { throw error.moved(by: piece * MSRList.maximumCount) }
    }
  }

  /// The value of the last entry of an MSR: later entries overwrite earlier ones.
  func value(of msr: MSR) -> UInt64? {
    (0..<count).last { self[$0].msr == msr }.map { self[$0].value }
  }
}
