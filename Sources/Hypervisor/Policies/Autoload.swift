// autoload: three MSR lists are processed around every entry, whether anything has changed or not. KVM offers user
// space no way to choose VMX's own lists, so this models them one level up: around every KVM_RUN, on the vCPU's
// registers.
// Facts: Intel SDM vol. 3C, 27.4, 28.4 and 28.6 (see AutoloadLists).

import CKVM

/// The policy `autoload`.
///
/// While the guest runs, the vCPU's registers hold the guest's values; otherwise the host's.
public struct Autoload: Policy, ~Copyable {
  public static var name: String { PolicyName.autoload.rawValue }
  public let subject: MSR
  public var intercepts: [MSR] { [] }
  /// How often each list was processed in full.
  public private(set) var processed = Processed()

  /// The count of each list's uses.
  public struct Processed: Equatable, Sendable {
    public var entryLoads: UInt64 = 0
    public var exitStores: UInt64 = 0
    public var exitLoads: UInt64 = 0
  }

  /// What is to be listed: given lists, or the MSRs whose values are taken from the vCPU before it runs.
  private let source: Source
  private enum Source {
    case lists(AutoloadLists)
    case registers([MSR])
  }

  private var entryLoad = MSRArea([])
  private var exitStore = MSRArea([])
  private var exitLoad = MSRArea([])
  /// For each entry of the exit-store list, where its value goes in the entry-load list.
  private var destinations: [Int?] = []
  /// Whether the lists are as the first entry needs them.
  private var isFilled = false
  /// What the guest reads of the subject where it ran before; nil for what the vCPU has.
  private var adopted: UInt64?
  /// Whether IA32_EFER is loaded by the lists: it has the guest's mode in it.
  private var loadsMode = false

  /// A guest that owns these MSRs while it runs; guest and host both start with the values that the vCPU has when it
  /// first runs.
  public init(subject: MSR = .specCtrl, listing msrs: [MSR]? = nil) {
    self.subject = subject
    source = .registers(msrs ?? [subject])
  }

  /// A guest under exactly these lists.
  public init(subject: MSR = .specCtrl, lists: AutoloadLists) {
    self.subject = subject
    source = .lists(lists)
  }

  /// The MSRs that are loaded for the guest beside the subject; what may not stand in a list at all is said of the
  /// list.
  public var otherRegisters: [MSR] {
    let loaded: [MSR]
    switch source {
    case .lists(let lists): loaded = (lists.entryLoad + lists.exitLoad).map(\.msr)
    case .registers(let msrs): loaded = msrs
    }
    return Set(loaded).subtracting([subject]).sorted().filter { AutoloadLists.forbidden($0, in: .entryLoad) == nil }
  }

  /// Makes sure that a guest could write what is loaded for it.
  ///
  /// The hardware loads no MSR whose WRMSR would fault (SDM 27.4); KVM lets the VMM write more than the guest.
  ///
  /// - Throws: `PolicyError.refused` for the first that a guest cannot write, or was not proved to.
  public mutating func settle(on terms: Terms) throws(PolicyError) {
    for msr in otherRegisters {
      let what = "it loads \(msr) (\(msr.hex)), which"
      switch terms.otherRegisters[msr] {
      case .held, .accepted, .moving: continue
      case nil: throw .refused(policy: Self.name, reason: "\(what) nobody has proved that guests can write")
      case .unreadable?:
        throw .refused(
          policy: Self.name, reason: "\(what) this KVM does not read: \(RegisterProof.unreadable.text)")
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
        // Checked before it is read: a forbidden MSR is named as such, not as unreadable.
        _ = try AutoloadLists(entryLoad: msrs.map { MSREntry($0, 0) }, exitStore: msrs, exitLoad: [])
      } catch { throw .list(error) }
      do { _ = try cpu.readMSRs(msrs) } catch { throw .msr(error) }
    }
  }

  /// Takes the values that the vCPU has, now that it is about to run.
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

  /// The number of the entry, counted from 1, that changes the mode under paging; nil where there is none.
  ///
  /// A WRMSR of the guest's would fault on it (SDM, volume 3C, 27.4, on IA32_EFER.LME); KVM lets the VMM write it all
  /// the same.
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

  /// The guest's value of a listed MSR, as the next entry will load it; nil when it is not listed.
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

/// The memory of one list of up to 512 entries, in pieces that KVM takes in one request each.
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
