// Guest-physical addresses: they come from a guest, so no number may trap or wrap.

import Testing

@testable import Hypervisor

@Suite("A guest-physical range")
struct GuestPhysicalRangeTests {
  private let page = GuestPhysicalRange(start: 0x1000, count: 0x1000)

  @Test(
    "finds a range of bytes that lies within it whole",
    arguments: [(0x1000, 0, 0), (0x1000, 0x1000, 0), (0x1fff, 1, 0xfff), (0x2000, 0, 0x1000), (0x1800, 0x800, 0x800)])
  func finds(address: UInt64, length: Int, offset: Int) {
    #expect(page.offset(of: GuestPhysicalAddress(address), length: length) == offset)
  }

  @Test(
    "does not find what begins before it, ends behind it, or is no range",
    arguments: [
      (0xfff, 1), (0xfff, 0), (0x2000, 1), (0x1fff, 2), (0x1001, 0x1000), (0x1000, -1), (0x1800, .min),
      (0x1000, .max), (0x1001, .max), (.max, 0), (.max, 1), (.max, .max), (0, .max),
    ] as [(UInt64, Int)])
  func refuses(address: UInt64, length: Int) {
    #expect(page.offset(of: GuestPhysicalAddress(address), length: length) == nil)
  }

  @Test("overlaps what shares a byte with it, and touches what does not")
  func overlaps() {
    func range(_ start: UInt64, _ count: Int) -> GuestPhysicalRange {
      GuestPhysicalRange(start: GuestPhysicalAddress(start), count: count)
    }
    for other in [range(0x1000, 0x1000), range(0x1fff, 1), range(0x0, 0x1001), range(0x0, 0x10_0000)] {
      #expect(page.overlaps(other) && other.overlaps(page), "\(other)")
    }
    for other in [range(0x0, 0x1000), range(0x2000, 0x1000), range((1 << 52) - 0x1000, 0x1000)] {
      #expect(!page.overlaps(other) && !other.overlaps(page), "\(other)")
    }
  }

  @Test("is named in every error by its length and address")
  func errors() {
    #expect(
      "\(GuestMemoryError.notMapped(page))" == "the guest has no memory of 4096 bytes at guest-physical address 0x1000")
    #expect(
      "\(GuestMemoryError.overlaps(page, existing: page))"
        == "a memory slot of 4096 bytes at guest-physical address 0x1000 overlaps one of 4096 bytes at "
        + "guest-physical address 0x1000")
    #expect("\(GuestMemoryError.misplaced(page))".contains("whole pages of 4096 bytes"))
    #expect("\(GuestMemoryError.noFreeSlot(limit: 32))" == "all 32 memory slots of the VM are taken")
  }
}
