import Registers
import Testing

@Suite("A number in hexadecimal")
struct HexTests {
  @Test("has a prefix and no zeroes before it")
  func hex() {
    #expect(0x48.hex == "0x48" && UInt64.max.hex == "0xffffffffffffffff" && UInt8(0).hex == "0x0")
    #expect((-0x10).hex == "-0x10" && Int8.min.hex == "-0x80")
  }

  @Test("has so many digits at least")
  func digits() {
    #expect(UInt8(0xf).hexDigits(2) == "0f" && 0x1234.hexDigits(2) == "1234" && 0.hexDigits(1) == "0")
  }
}
