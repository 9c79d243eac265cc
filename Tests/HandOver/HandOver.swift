// The property that adaptive stands on: whatever a guest writes and whenever the register is opened and closed, what it
// reads is what it wrote last. Random sequences, with random costs that make the policy switch anywhere.
// Facts: Intel SDM vol. 2, RDMSR and WRMSR (two bytes long; #GP also in real mode).

public import Hypervisor
import GuestImages
import Measurement

/// A guest's sequence of accesses and exits under costs that were drawn at random.
public struct HandOver {
  enum Step: CustomStringConvertible {
    case write(UInt64)
    /// A write that must fault, and change nothing.
    case writeReserved(UInt64)
    case read
    case exit

    var description: String {
      switch self {
      case .write(let value): "w \(value.hex)"
      case .writeReserved(let value): "r \(value.hex)"
      case .read: "read"
      case .exit: "out"
      }
    }
  }

  /// How often the register was opened and closed over all sequences.
  public struct Outcome {
    public var opens: UInt64 = 0
    public var closes: UInt64 = 0
    /// What went wrong, each with its seed and sequence; empty when nothing did.
    public var failures: [String] = []
  }

  let msr: MSR
  let costs: AdaptiveCosts
  let steps: [Step]

  /// Steps in one sequence, as many as the guest's place in memory holds.
  private static let count = 300

  /// Draws a sequence; `writable` are the bits that the MSR takes.
  init(_ msr: MSR, writable: UInt64, _ generator: inout SeededGenerator) {
    self.msr = msr
    // From a switch at every step to hardly any.
    costs = AdaptiveCosts(
      access: .random(in: 1...4, using: &generator), exit: .random(in: 0...4, using: &generator),
      price: .random(in: 1...[2, 4, 16].randomElement(using: &generator)!, using: &generator), wholeExit: 1)
    let reserved: UInt64? = msr == .specCtrl ? 1 << 63 | 1 << 9 : nil
    var steps: [Step] = []
    while steps.count < Self.count {
      // Stretches of one kind, as guests have them, and of everything.
      let kinds: [Int] = [[0], [1], [2], [3], [0, 1, 2], [0, 1, 2, 3]].randomElement(using: &generator)!
      for _ in 0..<Int.random(in: 1...20, using: &generator) {
        switch kinds.randomElement(using: &generator)! {
        case 0: steps.append(.write(.random(in: 0 ... .max, using: &generator) & writable))
        case 1: steps.append(.read)
        case 2: steps.append(.exit)
        default:
          if let reserved { steps.append(.writeReserved(reserved | .random(in: 0...1, using: &generator))) }
        }
      }
    }
    self.steps = Array(steps.prefix(Self.count))
  }

  /// Runs so many sequences about an MSR that guests of this host hold.
  ///
  /// Throws what making a machine throws.
  public static func check(_ msr: MSR, sequences: Int, seed: UInt64) throws -> Outcome {
    let kvm = try KVM()
    var writable: UInt64 = 0x7fff_ffff_ffff
    if msr == .specCtrl {
      writable = 0b111 & SpecCtrl.writable(on: try GuestContract(offeredBy: kvm).cpuid).rawValue
    }
    var outcome = Outcome()
    for number in 0..<UInt64(sequences) {
      var generator = SeededGenerator(seed: seed, stream: "\(number)")
      let sequence = HandOver(msr, writable: writable, &generator)
      let keepsIBRSOn = msr == .specCtrl && Bool.random(using: &generator)
      for failure in try sequence.run(on: kvm, keepingIBRSOn: keepsIBRSOn, &outcome) {
        outcome.failures.append(
          "\(msr), sequence \(number) of seed \(seed), costs \(sequence.words)\(keepsIBRSOn ? ", IBRS kept on" : ""): \(failure), in: "
            + sequence.steps.map(\.description).joined(separator: "; "))
      }
    }
    return outcome
  }

  private var words: String { "\(costs.access), \(costs.exit), \(costs.price)" }

  private func run(on kvm: borrowing KVM, keepingIBRSOn: Bool, _ outcome: inout Outcome) throws -> [String] {
    var machine = try Machine(
      unproved: Adaptive(subject: msr, costs: costs, keepingIBRSOn: keepingIBRSOn), on: kvm)
    let program = try program()
    try machine.vm.addMemory(at: 0, count: 0x2_0000)
    try machine.vm.write(program.bytes, at: GuestPhysicalAddress(program.origin))
    let resting = try machine.vcpu.read(msr)
    var registers = 0
    var expected = try machine.subjectValue().guest
    try machine.vcpu.startInRealMode(at: UInt16(program.origin), stack: 0x1000)
    var ports = Ports(msr: msr)
    var observer = NoObserver()
    let end = try machine.run(&ports, observer: &observer, control: RunControl(timeLimit: .seconds(60)))
    var failures = end == .finished ? [] : ["the guest did not come to its end"]

    for (index, step) in steps.enumerated() {
      let bytes = try machine.vm.read(16, at: GuestPhysicalAddress(Self.slot(index)))
      func word(_ offset: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) } }
      let faulted = word(8) == UInt64(Self.mark)
      switch step {
      case .write(let value):
        expected = value
        if faulted { failures.append("step \(index) faulted") }
      case .writeReserved: if !faulted { failures.append("step \(index) did not fault") }
      case .read:
        if faulted || word(0) != expected {
          failures.append("step \(index) read \(word(0).hex), not \(expected ?? 0)")
        }
      case .exit:
        let register = ports.registers[registers]
        registers += 1
        if register != resting, register != expected {
          failures.append("the register held \(register.map { "\($0)" } ?? "nothing readable") at step \(index)")
        }
      }
    }
    _ = try machine.vcpu.completeExit()
    let value = try machine.subjectValue()
    if value.guest != expected {
      failures.append("the guest would read \(value.guest ?? 0) at the end, not \(expected ?? 0)")
    }
    let register = machine.currentPolicy.isOpen ? expected : resting
    if value.register != register { failures.append("the register holds \(value.register ?? 0) at the end") }
    let tally = Dictionary(uniqueKeysWithValues: machine.currentPolicy.tally.map { ($0.name, $0.count) })
    outcome.opens += tally["opens"] ?? 0
    outcome.closes += tally["closes"] ?? 0
    return failures
  }

  // MARK: The guest

  private static let code: UInt64 = 0x1000
  /// What it read, and what ECX held after it: two words a step.
  private static func slot(_ index: Int) -> UInt64 { 0xe000 + UInt64(index) * 16 }
  /// What the #GP handler leaves in ECX.
  private static let mark = UInt32.max
  private static let outPort: UInt8 = 0x10
  fileprivate static let endPort: UInt8 = 0x11

  private func program() throws -> Program {
    var asm = Assembler(origin: Self.code, mode: .bits16)
    asm.mov(.word, .absolute(13 * 4 + 2), 0, "the handler of #GP")
    asm.mov(.ax, "refused")
    asm.mov(.absolute(13 * 4), .ax)
    for (index, step) in steps.enumerated() {
      switch step {
      case .exit:
        asm.out(Self.outPort, .al)
        continue
      case .read:
        asm.mov(.ecx, msr.rawValue)
        asm.rdmsr()
      case .write(let value), .writeReserved(let value):
        asm.mov(.ecx, msr.rawValue)
        asm.mov(.eax, UInt32(truncatingIfNeeded: value))
        asm.mov(.edx, UInt32(truncatingIfNeeded: value >> 32))
        asm.wrmsr()
      }
      asm.mov(.absolute(Self.slot(index)), .eax)
      asm.mov(.absolute(Self.slot(index) + 4), .edx)
      asm.mov(.absolute(Self.slot(index) + 8), .ecx)
    }
    asm.out(Self.endPort, .al)
    asm.bind("refused", "#GP: marks the access as refused, in ECX")
    asm.mov(.bp, .sp)
    asm.add(.word, .at(.bp).through(.ss), 2, "steps over the RDMSR or WRMSR")
    asm.mov(.ecx, Self.mark)
    asm.iretw()
    let program = try asm.assemble()
    precondition(program.origin + UInt64(program.bytes.count) <= Self.slot(0))
    return program
  }
}

/// Lets the guest go on until it is at its end, and looks at the register at each of its exits.
private struct Ports: ExitHandler {
  let msr: MSR
  var registers: [UInt64?] = []

  mutating func portOut(_ access: PortAccess, from cpu: borrowing VirtualCPU) -> Disposition {
    if access.port == UInt16(HandOver.endPort) { return .stop }
    registers.append(try? cpu.read(msr))
    return .resume
  }
}
