// The checksum, by the vectors of its standard.

import Testing

@testable import Migration

@Suite("CRC-32C")
struct CRC32CTests {
  @Test("of RFC 3720's examples is what stands there")
  func vectors() {
    #expect(CRC32C.of([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
    #expect(CRC32C.of([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
    #expect(CRC32C.of(0..<32) == 0x46dd_794e)
    #expect(CRC32C.of((0..<32).reversed()) == 0x113f_db5c)
    #expect(CRC32C.of("123456789".utf8) == 0xe306_9283)
  }

  @Test("in parts is that of the whole")
  func parts() {
    var sum = CRC32C()
    sum.add("1234".utf8)
    sum.add("56789".utf8)
    #expect(sum.value == CRC32C.of("123456789".utf8))
  }
}
