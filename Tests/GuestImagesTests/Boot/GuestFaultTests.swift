// A guest's fault as a sentence.

import Testing

@testable import GuestImages

@Suite("A guest's fault")
struct GuestFaultTests {
  private func sentence(_ vector: UInt64, error: UInt64 = 0, cs: UInt16 = 0x10, cr2: UInt64 = 0) -> String {
    GuestFault(vector: vector, errorCode: error, rip: 0x80d7, cs: cs, cr2: cr2).description
  }

  @Test("names the exception, its error code, the place and the ring")
  func sentences() {
    #expect(sentence(13, error: 0x33) == "general protection (vector 13, error code 0x33) at rip 0x80d7 in ring 0")
    #expect(sentence(6, cs: 0x33) == "invalid opcode (vector 6, error code 0x0) at rip 0x80d7 in ring 3")
  }

  @Test("gives the address of a page fault, and of no other exception")
  func address() {
    #expect(
      sentence(14, error: 0x15, cs: 0x33, cr2: 0x20_0000)
        == "page fault (vector 14, error code 0x15, address 0x200000) at rip 0x80d7 in ring 3")
    for vector in (0..<32 as Range<UInt64>) where vector != 14 { #expect(!sentence(vector).contains("address")) }
  }

  @Test("has a name for each architectural vector", arguments: 0..<22)
  func names(vector: UInt64) { #expect(!sentence(vector).hasPrefix("exception")) }

  @Test("is a sentence even where the guest claims nonsense", arguments: [22, 255, 1 << 40, UInt64.max])
  func hostile(vector: UInt64) {
    #expect(
      sentence(vector, error: .max, cs: .max)
        == "exception (vector \(vector), error code 0xffffffffffffffff) at rip 0x80d7 in ring 3")
  }
}
