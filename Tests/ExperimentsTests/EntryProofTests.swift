// Which kernel entries work here, and how that is known.

import Experiments
import GuestImages
import Hypervisor
import Testing
import TestSupport

@Suite("The proof of a kernel entry", .needsKVM)
struct EntryProofTests {
  @Test("says what was seen: ring 0, or what happened instead", arguments: Entry.ringSwitching)
  func sentence(entry: Entry) throws {
    let proof = try EntryProof.prove(entry, on: try KVM())
    #expect(proof.entry == entry)
    #expect(proof.works == proof.seen.hasPrefix("the kernel was entered in ring 0"))
    #expect(!proof.seen.isEmpty && !proof.seen.contains("\n"), "one sentence")
  }

  @Test("holds: a guest that enters so runs its kernel in ring 0, as often as it was ordered")
  func holds() throws {
    for entry in try Host.proved().entries {
      var experiment = try Experiment(.bare, entry: entry, policy: .emulate, iterations: 7, samples: 1)
      experiment.workload = .entryProof
      let record = try experiment.run()
      #expect(record.mailbox.entryCS & 3 == 0 && record.mailbox.entryCS != 0, "\(entry)")
      #expect(record.mailbox.kernelEntries == 7)
    }
  }

  @Test("is the same each time")
  func stable() throws {
    let working = try Host.proved().entries.filter { $0 != .none }
    let kvm = try KVM()
    #expect(try Entry.ringSwitching.filter { try EntryProof.prove($0, on: kvm).works } == working)
  }

  @Test("leads to the first that works, in the order of preference")
  func best() throws {
    let working = try Host.proved().entries.filter { $0 != .none }
    let kvm = try KVM()
    if let first = working.first {
      #expect(try EntryProof.proveBest(of: Entry.ringSwitching, on: kvm).entry == first)
      #expect(try EntryProof.proveBest(of: Entry.ringSwitching.reversed(), on: kvm).entry == working.last)
    }
  }

  @Test("leads to an error where none works, with what was seen of each")
  func none() throws {
    let broken = Entry.ringSwitching.filter { [working = try Host.proved().entries] in !working.contains($0) }
    #expect {
      try EntryProof.proveBest(of: broken, on: try KVM())
    } throws: { error in
      guard case ExperimentError.noEntry(let seen) = error else { return false }
      return seen.map(\.0) == broken && broken.allSatisfy { "\(error)".contains($0.rawValue) }
    }
  }
}
