// Any bytes as a guest's image: read, and planned for machines of several sizes, without KVM.
// Facts: LLVM, compiler-rt/include/fuzzer/FuzzerInterface.h.

import GuestImages
import Images

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  // Safe: libFuzzer's buffer has `size` bytes.
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: size))
  let address = bytes.prefix(3).reduce(0) { $0 << 8 | UInt64($1) }
  do throws(ImageError) { plan(try BootableImage(flat: bytes, at: address)) } catch { _ = "\(error)" }
  do throws(ImageError) { plan(try BootableImage(reading: bytes)) } catch { _ = "\(error)" }
  do { check(try GuestImage(elf: bytes, named: "own")) } catch { _ = "\(error)" }
  return 0
}

/// What a guest of the user's puts into memory must lie there, and what it promises must have a sum.
private func check(_ guest: GuestImage) {
  for part in guest.contents { precondition(part.address + UInt64(part.bytes.count) <= UInt64(Layout.memorySize)) }
  _ = guest.workload.actions(iterations: UInt64(SampleRecord.maximumCount) * UInt64(UInt32.max))
}

/// Plans the image; what a plan holds must lie within its machine's memory.
private func plan(_ image: BootableImage) {
  for memory in [BootPlan.memorySizes.lowerBound, 32 << 20, BootPlan.memorySizes.upperBound] {
    for entry in EntryProtocol.allCases {
      for initrd in [nil, 1, 0x12_3456, Int.max] {
        do throws(ImageError) {
          let plan = try BootPlan(image, memory: memory, commandLine: [65, 66], initrd: initrd, by: entry)
          for part in plan.parts {
            precondition(part.address <= memory && UInt64(part.file.count) <= memory - part.address)
          }
          for made in plan.made { precondition(made.address + UInt64(made.bytes.count) <= memory) }
          if let start = plan.initrd, let initrd {
            precondition(start >= image.memoryEnd && start <= memory && UInt64(initrd) <= memory - start)
          }
        } catch { _ = "\(error)" }
      }
    }
  }
}
