// adaptive without KVM: the rule by which it opens and closes, against the best of the two fixed states in hindsight.

import struct Measurement.SeededGenerator
import TestSupport
import Testing

@testable import Hypervisor

@Suite("The rule of adaptive")
struct AdaptiveRuleTests {
  private let costs = AdaptiveCosts(access: 10, exit: 2, price: 50, wholeExit: 100)

  /// What a guest does to be seen by a VMM.
  private enum Step: CustomStringConvertible {
    case access, exit
    var description: String { self == .access ? "a" : "x" }
  }

  /// Runs a rule over a guest's steps and gives what it pays beyond what every state pays; an access is seen while
  /// closed.
  private func cost(_ rule: inout AdaptiveRule, over steps: [Step]) -> Int {
    var paid = 0
    for step in steps {
      switch step {
      case .access where rule.isOpen: continue
      case .access:
        paid += rule.costs.access
        rule.access()
      case .exit: paid += rule.isOpen ? rule.costs.exit : 0
      }
      guard rule.entry() else { continue }
      if rule.isOpen {
        rule.close()
      } else {
        rule.open()
        // Both ways, as the bound has it.
        paid += rule.costs.price
      }
    }
    return paid
  }

  /// Stretches of accesses, of exits, and of both, of random length.
  private func steps(_ generator: inout SeededGenerator) -> [Step] {
    (0..<Int.random(in: 1...12, using: &generator)).flatMap { _ -> [Step] in
      let share = [0, 0.02, 0.5, 0.98, 1].randomElement(using: &generator)!
      return (0..<Int.random(in: 1...400, using: &generator)).map { _ in
        Double.random(in: 0..<1, using: &generator) < share ? .access : .exit
      }
    }
  }

  @Test(
    "never pays more than the best fixed state, twice the open exits and one switch", arguments: 0..<40 as Range<UInt64>
  )
  func bound(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<50 {
      let costs = AdaptiveCosts(
        access: Int.random(in: 0...60, using: &generator), exit: Int.random(in: 0...20, using: &generator),
        price: Int.random(in: 1...300, using: &generator), wholeExit: 100)
      let steps = steps(&generator)
      var rule = AdaptiveRule(costs)
      let paid = cost(&rule, over: steps)
      let exits = steps.count { $0 == .exit }
      let best = min(costs.access * (steps.count - exits), costs.exit * exits)
      #expect(
        paid <= best + 2 * costs.exit * exits + costs.oneSwitch,
        "seed \(seed), \(costs): \(paid) over \(steps.map(\.description).joined())")
      #expect(rule.opens == rule.closes + (rule.isOpen ? 1 : 0))
    }
  }

  @Test("meets that bound closely where the guest does what is worst: as much as it takes, and then the other thing")
  func adversary() {
    var rule = AdaptiveRule(costs)
    var paid = 0
    var (accesses, exits) = (0, 0)
    for _ in 0..<1000 {
      // A guest that always does what the present state makes it pay for.
      if rule.isOpen { exits += 1 } else { accesses += 1 }
      paid += cost(&rule, over: [rule.isOpen ? .exit : .access])
    }
    let best = min(costs.access * accesses, costs.exit * exits)
    #expect(paid > best + costs.exit * exits / 2, "else the bound would say nothing")
    #expect(paid <= best + 2 * costs.exit * exits + costs.oneSwitch)
  }

  @Test("opens at the access that makes up the price, and not before")
  func opens() {
    var rule = AdaptiveRule(costs)
    #expect(cost(&rule, over: Array(repeating: .access, count: 4)) == 40 && !rule.isOpen)
    #expect(cost(&rule, over: [.access]) == 10 + 50 && rule.isOpen)
  }

  @Test("decides the same where it goes on from its state, whenever that is", arguments: 0..<40 as Range<UInt64>)
  func moved(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<50 {
      let costs = AdaptiveCosts(
        access: Int.random(in: 1...60, using: &generator), exit: Int.random(in: 0...20, using: &generator),
        price: Int.random(in: 1...300, using: &generator), wholeExit: 100)
      let steps = steps(&generator)
      let cut = Int.random(in: 0...steps.count, using: &generator)
      var whole = AdaptiveRule(costs)
      _ = cost(&whole, over: steps)
      var first = AdaptiveRule(costs)
      _ = cost(&first, over: Array(steps[..<cut]))
      var second = AdaptiveRule(costs)
      second.adopt(first.state)
      #expect(second.state["isOpen"] == first.state["isOpen"] && second.opens == first.opens)
      // The entry that leads back into the guest.
      if second.entry() { second.open() }
      #expect(second.isOpen == first.isOpen)
      _ = cost(&second, over: Array(steps[cut...]))
      #expect(second.state == whole.state, "seed \(seed), \(costs), cut at \(cut) of \(steps.count)")
    }
  }

  @Test("bears any state, and stays closed where it may not open")
  func strangeStates() {
    var generator = SeededGenerator(seed: 3)
    let values: [UInt64] = [0, 1, 2, 49, 50, 1 << 40, .max / 2, .max - 1, .max]
    for _ in 0..<2000 {
      var state = AdaptiveRule(costs).state
      for name in state.keys { state[name] = values.randomElement(using: &generator) }
      for (access, exit) in [(10, 2), (0, 0), (0, 20)] {
        let costs = AdaptiveCosts(access: access, exit: exit, price: 50, wholeExit: 100)
        var rule = AdaptiveRule(costs)
        rule.adopt(state)
        if rule.entry() { rule.open() }
        #expect(rule.isOpen == (state["isOpen"] == 1 && costs.access > 0), "\(state)")
        #expect(rule.opens == rule.closes + (rule.isOpen ? 1 : 0))
        _ = cost(&rule, over: steps(&generator))
      }
    }
    var refused = AdaptiveRule(costs)
    refused.adopt(["isOpen": 1, "closes": 4])
    let wantsToOpen = refused.entry()
    #expect(wantsToOpen)
    refused.refuse()
    #expect(!refused.isOpen && refused.opens == 5 && refused.closes == 5)
  }

  @Test("stays closed to a guest that exits so often that an open register would cost more")
  func balance() {
    var rule = AdaptiveRule(costs)
    for _ in 0..<10_000 { _ = cost(&rule, over: [.access, .exit, .exit, .exit, .exit, .exit]) }
    #expect(rule.opens == 0, "ten against five times two")
    for _ in 0..<10_000 { _ = cost(&rule, over: [.access, .exit, .exit, .exit, .exit]) }
    #expect(rule.opens > 0)
  }

  @Test("waits twice as long after a closing that was wrong, and as at first after one that paid")
  func patience() {
    var rule = AdaptiveRule(costs)
    func openExits() -> Int {
      _ = cost(&rule, over: Array(repeating: .access, count: 5))
      #expect(rule.isOpen)
      var exits = 0
      while rule.isOpen {
        _ = cost(&rule, over: [.exit])
        exits += 1
      }
      return exits
    }
    #expect((0..<4).map { _ in openExits() } == [30, 60, 120, 240])
    // Closed for as many exits as the price.
    _ = cost(&rule, over: Array(repeating: .exit, count: 24))
    #expect(openExits() == 480)
    _ = cost(&rule, over: Array(repeating: .exit, count: 25))
    #expect(openExits() == 30)
  }

  @Test("costs a guest that writes and exits for ever only so many switches as the patience doubles")
  func steady() {
    var rule = AdaptiveRule(costs)
    for _ in 0..<100_000 { _ = cost(&rule, over: [.access, .access, .exit]) }
    #expect((10...14).contains(rule.opens))
  }

  @Test("never opens where trapping costs nothing more, and never closes where an open register costs nothing more")
  func extremes() {
    var never = AdaptiveRule(AdaptiveCosts(access: -3, exit: 5, price: 50, wholeExit: 100))
    _ = cost(&never, over: Array(repeating: .access, count: 100_000))
    #expect(never.opens == 0)
    var always = AdaptiveRule(AdaptiveCosts(access: 10, exit: -1, price: 50, wholeExit: 100))
    _ = cost(&always, over: Array(repeating: .access, count: 5) + Array(repeating: .exit, count: 100_000))
    #expect(always.opens == 1 && always.closes == 0)
  }

  @Test("that cannot open waits for another price")
  func refused() {
    var rule = AdaptiveRule(costs)
    func accessesUntilDue() -> Int {
      var accesses = 0
      repeat {
        rule.access()
        accesses += 1
      } while !rule.entry()
      return accesses
    }
    #expect(accessesUntilDue() == 5)
    rule.refuse()
    #expect(accessesUntilDue() == 5 && !rule.isOpen && rule.opens == 0)
  }

  @Test("takes what a clock may say, however large")
  func large() {
    let costs = AdaptiveCosts(access: .max, exit: .max, price: .max, wholeExit: .max)
    var rule = AdaptiveRule(costs)
    for _ in 0..<200 { _ = cost(&rule, over: [.access, .access, .exit, .exit, .exit]) }
    #expect(rule.opens > 0)
    #expect(AdaptiveCosts(access: .min, exit: .min, price: .min, wholeExit: .min).price == 1)
  }
}

@Suite("The policy adaptive")
struct AdaptivePolicyTests {
  private let costs = AdaptiveCosts(access: 10, exit: 2, price: 50, wholeExit: 100)

  private func offer(_ features: [CPUFeature]) -> GuestContract {
    var model = CPUIDModel()
    for feature in features { model.set(feature, to: true) }
    return GuestContract(cpuid: model, archCapabilities: [.rdclNo])
  }

  @Test("answers like emulate while it is closed, reserved bits included")
  func closed() {
    var adaptive = Adaptive(costs: costs)
    var emulate = Emulate()
    let told = offer([.specCtrl, .ssbd])
    adaptive.accept(told)
    emulate.accept(told)
    for value in [0, 1, 1 << 63, 4, 1 << 9, 7, 0] as [UInt64] {
      #expect(adaptive.write(.specCtrl, value) == emulate.write(.specCtrl, value))
      #expect(adaptive.read(.specCtrl) == emulate.read(.specCtrl))
      #expect(adaptive.write(.predCmd, value) == .fault && adaptive.read(.predCmd) == .fault)
    }
    #expect(adaptive.intercepts == [.specCtrl])
  }

  @Test("tells its guest what KVM offers where the register may be opened, and what emulate tells where it may not")
  func contract() {
    let given = offer([.specCtrl])
    #expect(Adaptive(costs: costs).contract(from: given) == given)
    #expect(Adaptive(costs: nil).contract(from: given) == Emulate().contract(from: given))
    #expect(Adaptive(costs: costs).changesIntercepts && !Adaptive(costs: nil).changesIntercepts)
  }

  private func protection(
    _ subject: MSR = .specCtrl, held: Bool = true, ibrsAll: Bool = false, accepts: Bool = false,
    costs: AdaptiveCosts? = nil
  ) throws -> Protection {
    let terms = Terms(
      HostAbilities(
        subject: subject, register: held ? .held(wrote: 1) : .faulted(wrote: 1), hasIBRSAll: ibrsAll,
        canInterceptMSRs: true),
      acceptsUnprotected: accepts, adaptiveCosts: costs)
    #expect(terms.mayOpen == (held && (!ibrsAll || accepts || subject != .specCtrl)))
    return try PolicyName.adaptive.protection(on: terms)
  }

  private static let never = "the register is never opened to the guest: "

  @Test("never opens a register that is not there, and says so beside what emulate says")
  func absent() throws {
    for ibrsAll in [false, true] {
      let protection = try protection(held: false, ibrsAll: ibrsAll, accepts: true)
      #expect(protection.level == Protection.Level.none)
      #expect(protection.reason.contains(Self.never + "guests of this KVM have no IA32_SPEC_CTRL"))
    }
    #expect(try protection(.kernelGSBase, held: false).reason.contains(Self.never))
  }

  @Test("never ends the protection of IBRS_ALL unless that is accepted, and then warns in every output")
  func ibrsAll() throws {
    let kept = try protection(ibrsAll: true)
    #expect(kept.level == .always)
    #expect(kept.reason.hasPrefix("IBRS is kept on in hardware that has IBRS_ALL"))
    #expect(kept.reason.contains(Self.never + "that would end this protection (--accept-unprotected allows it)"))
    let given = try protection(ibrsAll: true, accepts: true, costs: costs)
    #expect(given.level == .guest && given.reason.hasPrefix("WARNING: the protection"))
    #expect(given.reason.hasSuffix("\(costs)"))
  }

  @Test("protects nothing for certain on a host without IBRS_ALL, and tells the costs that were measured")
  func opening() throws {
    let measured = try protection(costs: costs)
    #expect(measured.level == Protection.Level.none && measured.reason.hasSuffix("\(costs)"))
    for figure in ["access costs 10 more", "open 2 more", "closing it 50", "the VMM 100"] {
      #expect(measured.reason.contains(figure))
    }
    #expect(try protection().reason.hasSuffix("otherwise they change nothing"), "none were measured")
    #expect(try protection(.kernelGSBase, ibrsAll: true, costs: costs).level == .notApplicable)
  }

  @Test("says where its costs leave it nothing to decide")
  func noise() throws {
    let free = AdaptiveCosts(access: 0, exit: 2, price: 50, wholeExit: 100)
    #expect(try protection(costs: free).reason.contains(Self.never + "trapping costs nothing extra here"))
    let still = AdaptiveCosts(access: 10, exit: 0, price: 50, wholeExit: 100)
    #expect(try protection(costs: still).reason.hasSuffix("so it is not closed again"))
  }

  @Test("is refused where no access reaches the VMM, like emulate")
  func refused() {
    let terms = Terms(
      HostAbilities(subject: .specCtrl, register: .held(wrote: 1), hasIBRSAll: false, canInterceptMSRs: false))
    #expect(Adaptive.support(on: terms) == Emulate.support(on: terms))
  }
}
