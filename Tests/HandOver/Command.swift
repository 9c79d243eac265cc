// The property as a program, for hosts where no test runner is: the lab's machines.
// Usage: HandOver MSR SEQUENCES SEED; fails with status 1 and prints what went wrong.

import Glibc
import Hypervisor

@main
struct Command {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 4, let msr = MSR(parsing: arguments[1]), let sequences = Int(arguments[2]),
      let seed = UInt64(arguments[3])
    else {
      print("usage: HandOver MSR SEQUENCES SEED")
      exit(64)
    }
    let outcome = try HandOver.check(msr, sequences: sequences, seed: seed)
    print(
      "\(sequences) sequences, \(outcome.opens) opens, \(outcome.closes) closes, \(outcome.failures.count) failures")
    for failure in outcome.failures.prefix(3) { print(failure) }
    exit(outcome.failures.isEmpty ? 0 : 1)
  }
}
