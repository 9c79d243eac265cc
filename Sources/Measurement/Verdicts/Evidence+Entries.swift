// The kernel entries that the claims are about, and what two writes at each of them cost.

import Registers

extension Evidence {
  /// The cells of a guest that writes twice at each entry, and of the same entry without a write.
  struct Writes {
    let writing: CellRecord
    let bare: CellRecord
  }

  /// An empty entry by a system call without isolated page tables; nil if none was measured.
  var emptyCall: CellRecord? {
    all { $0.isEmptyEntry && $0.entry.isSystemCall && $0.entry != Entry.isolated }.first
  }

  /// The empty entry of a kernel that isolates its page tables, as in February 2018.
  func isolatedCall() throws(Missing) -> CellRecord {
    try find("a system call as in February 2018 (the entry isolated)") { $0.isEmptyEntry && $0.entry == Entry.isolated }
  }

  /// A real kernel's system call in which it writes nothing, with isolated page tables or without; nil where it was
  /// not measured.
  func kernelCall(isolated: Bool) -> CellRecord? {
    all {
      $0.isSystemCall(of: [.off, .retpoline, .eibrs]) && $0.policy == .passthrough
        && ($0.kernel?.isIsolated == true) == isolated
    }.first
  }

  /// A real kernel's system call in which it writes IBRS to the register twice; nil where it was not measured.
  func writingKernelCall(isolated: Bool?) -> CellRecord? {
    all {
      $0.isSystemCall(of: [.ibrs]) && $0.place == .hardware && (isolated == nil || $0.kernel?.isIsolated == isolated)
    }.first
  }

  /// The cells of two writes that end in this place, with this entry or the first that was measured.
  func writes(endedBy place: CellRecord.Place, by entry: Entry? = nil) throws(Missing) -> Writes {
    let cell = try writer(endedBy: place, entry: entry.map(Known.known))
    return Writes(writing: cell, bare: try bare(for: cell))
  }

  /// The cells of two writes that KVM ends, with the entry of 2018 if that was measured, else another system call.
  func twoTraps() throws(Missing) -> Writes {
    if let isolated = try? writes(endedBy: .kvm, by: .isolated) { return isolated }
    for entry in Entry.allCases where entry.isSystemCall {
      if let found = try? writes(endedBy: .kvm, by: entry) { return found }
    }
    return try writes(endedBy: .kvm)
  }

  /// The guest whose two writes at each entry end in this place.
  ///
  /// Writes that KVM ends are of SPEC_CTRL itself if KVM traps a guest that writes only 0, else of the stand-in.
  func writer(endedBy place: CellRecord.Place, entry: Known<Entry>? = nil) throws(Missing) -> CellRecord {
    let fits = { (cell: CellRecord) in entry == nil || cell.entry == entry }
    if place == .kvm, let zero = all(where: { $0.isZeroWriter && $0.place == .kvm && fits($0) }).first { return zero }
    return try find("an entry\(entry.map { " (\($0))" } ?? "") with two writes that end in \(place.text)") {
      $0.isWriter() && $0.place == place && ($0.writesSpecCtrl || place == .kvm && $0.writesStandIn) && fits($0)
    } tried: {
      $0.isWriter() && $0.isToEnd(in: place) && fits($0)
    }
  }

  /// How much more two writes that KVM ends cost than two that reach the register.
  ///
  /// Both use the same entry: that of 2018 if it was measured.
  func trapsInPlaceOfWrites() throws(Missing) -> Finding {
    var missing: Missing?
    for entry in [.isolated, nil] as [Entry?] {
      do throws(Missing) {
        let open = try writes(endedBy: .hardware, by: entry).writing
        let trapped = try writer(endedBy: .kvm, entry: open.entry)
        return try difference("two traps less two writes", trapped, minus: open)
      } catch { missing = missing ?? error }
    }
    throw missing ?? Missing(reason: "no guest that writes was measured")
  }
}

extension Evidence.Finding {
  /// The same figure times a factor above 0.
  func scaled(by factor: Double, named name: String) -> Self {
    var found = self
    found.interval = Interval(interval.lower * factor, interval.upper * factor)
    found.figure = BenchReport.Figure(
      name: name, value: figure.value * factor, interval: found.interval, unit: figure.unit)
    return found
  }

  /// The factor by which an added cost raises a base: (base + cost) / base.
  ///
  /// The interval comes from the ends of both intervals, so it holds with the confidence of both together.
  static func raised(_ name: String, by cost: Self, over base: Self) throws(Evidence.Missing) -> Self {
    guard base.interval.lower > 0, base.figure.value > 0 else {
      throw Evidence.Missing(
        outcome: .notDecided, reason: "\(base.figure.name) is not above zero: the noise is larger than the cost")
    }
    let (low, high) = (cost.interval.lower, cost.interval.upper)
    let interval = Interval(
      1 + low / (low > 0 ? base.interval.upper : base.interval.lower),
      1 + high / (high > 0 ? base.interval.lower : base.interval.upper))
    return Self(
      figure: BenchReport.Figure(
        name: name, value: 1 + cost.figure.value / base.figure.value, interval: interval, unit: "x"),
      interval: interval, confidence: min(cost.confidence, base.confidence), rounds: min(cost.rounds, base.rounds))
  }

  /// The figure with its name, for a list.
  var named: String { "\(figure.name) \(text)" }
}

extension [Evidence.Finding] {
  /// The figures with their names.
  var list: String { map(\.named).joined(separator: ", ") }

  /// The list as an aside after the judged figures; empty if there are none.
  var aside: String { isEmpty ? "" : "; also measured: \(list)" }
}

extension CellRecord {
  /// Whether it is an empty kernel entry of a guest alone.
  var isEmptyEntry: Bool { workload == .bare && !isPrimitive && neighbour == nil }

  /// Whether its guest writes only 0 to SPEC_CTRL, twice at each entry.
  var isZeroWriter: Bool { workload == .ibrsZero && !isPrimitive && neighbour == nil && writesSpecCtrl }

  /// Which MSR the guest writes, in words, for a cell whose writes KVM ends.
  var whatIsWritten: String {
    writesStandIn
      ? "KVM ends writes of \(MSR.standIn), which stands in for the register"
      : "KVM ends writes of 0 to the register itself"
  }

  /// Whether a cell of a guest that writes was planned for writes that end in this place.
  func isToEnd(in place: Place) -> Bool {
    switch place {
    case .hardware: writesSpecCtrl && policy == .passthrough
    case .kvm: writesStandIn
    case .vmm: writesSpecCtrl && policy == .emulate
    case .none: false
    }
  }
}
