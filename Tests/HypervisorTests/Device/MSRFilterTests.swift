// The MSR filter as a value: how scattered MSRs share ranges, and which filters never reach KVM.

import CKVM
import SystemPackage
import Testing

@testable import Hypervisor

@Suite("An MSR filter")
struct MSRFilterTests {
  /// Whether KVM would deny an access, by the rules of KVM_X86_SET_MSR_FILTER.
  private func denies(_ filter: MSRFilter, _ msr: MSR, _ access: MSRFilter.Access) -> Bool {
    for range in filter.ranges where range.msrs.contains(msr) && !range.accesses.isDisjoint(with: access) {
      let bit = Int(msr.rawValue - range.msrs.lowerBound.rawValue)
      return range.bitmap[bit / 8] >> UInt8(bit % 8) & 1 == 0
    }
    return filter.unlisted == .deny
  }

  /// Why the filter does not reach KVM; nil when it does, and then /dev/null is no KVM.
  private func refusal(of filter: MSRFilter) throws -> MSRFilterError? {
    let nothing = try Descriptor.open("/dev/null")
    do throws(MSRFilterError) { try filter.apply(to: nothing) } catch {
      if case .refused(let reason) = error {
        #expect(reason == KVMError(.request(.setMSRFilter), .init(rawValue: 25)), "ENOTTY")
        return nil
      }
      return error
    }
    Issue.record("/dev/null took an MSR filter")
    return nil
  }

  @Test("that denies everything without a range, or decides an access that there is not, is refused with a word")
  func refusedWithAWord() throws {
    let refusal = try refusal(of: MSRFilter(unlisted: .deny))
    #expect(refusal == .deniesEverything && "\(MSRFilterError.deniesEverything)".contains("add a range"))
    let range = MSRFilter.Range(.specCtrl...(.specCtrl), accesses: .init(rawValue: 4))
    let other = try self.refusal(of: MSRFilter(ranges: [range]))
    #expect(other == .unknownAccess(range.msrs, range.accesses))
    #expect(other.map { "\($0)" }?.contains("from 0x48 to 0x48 for accesses 0x4") == true)
    #expect(try self.refusal(of: MSRFilter()) == nil)
  }

  @Test("denies exactly the MSRs it is made for")
  func deniesExactly() {
    let denied: [MSR] = [.specCtrl, MSR(0x4a), .kernelGSBase, .sysenterESP, .specCtrl]
    let filter = MSRFilter.denying(denied)
    for number in [0x47, 0x48, 0x49, 0x4a, 0x4b, 0x174, 0x175, 0x176, 0xc000_0101, 0xc000_0102, .max] as [UInt32] {
      #expect(denies(filter, MSR(number), .read) == denied.contains(MSR(number)), "\(number.hex)")
      #expect(denies(filter, MSR(number), .write) == denied.contains(MSR(number)))
    }
  }

  @Test("denies one kind of access and leaves the other")
  func oneAccess() {
    let filter = MSRFilter.denying([.specCtrl], accesses: .write)
    #expect(denies(filter, .specCtrl, .write))
    #expect(!denies(filter, .specCtrl, .read))
  }

  @Test("puts neighbours into one range, as far as KVM's bitmap goes")
  func coalesces() {
    let last = UInt32(MSRFilter.maximumMSRsPerRange - 1)
    #expect(MSRFilter.denying([]).ranges.isEmpty)
    #expect(MSRFilter.denying([MSR(0x10), MSR(0x11), MSR(0x100)]).ranges.map(\.msrs) == [MSR(0x10)...MSR(0x100)])
    #expect(MSRFilter.denying([MSR(last), MSR(0)]).ranges.map(\.msrs) == [MSR(0)...MSR(last)])
    #expect(
      MSRFilter.denying([MSR(0), MSR(last + 1)]).ranges.map(\.msrs) == [MSR(0)...MSR(0), MSR(last + 1)...MSR(last + 1)])
    #expect(MSRFilter.denying([MSR(.max), MSR(.max - 1)]).ranges.map(\.msrs) == [MSR(.max - 1)...MSR(.max)])
  }

  @Test("takes 16 ranges and refuses 17")
  func tooManyRanges() throws {
    let scattered = (0..<17).map { MSR(0x0800_0000 * $0) }
    #expect(try refusal(of: .denying(scattered.prefix(16))) == nil)
    #expect(try refusal(of: .denying(scattered)) == .tooManyRanges(17))
  }

  @Test("takes a range as long as KVM's bitmap and refuses a longer one, however long")
  func tooLong() throws {
    let limit = UInt32(MSRFilter.maximumMSRsPerRange)
    let base: UInt32 = 0xc000_0000
    for last in [base + limit, .max] {
      let long = MSR(base)...MSR(last)
      #expect(try refusal(of: MSRFilter(ranges: [.init(long, accesses: .all)])) == .rangeTooLong(long))
    }
    let everything = MSRFilter.Range(MSR(0)...MSR(.max), accesses: .all)
    #expect(everything.bitmap.count == 0x600, "no bits are kept for what will be refused")
    #expect(try refusal(of: MSRFilter(ranges: [everything])) == .rangeTooLong(everything.msrs))
    #expect(
      try refusal(of: MSRFilter(ranges: [.init(MSR(base)...MSR(base + limit - 1), accesses: .all)])) == nil)
  }

  @Test("refuses to deny an x2APIC MSR, and takes a range across them that allows them")
  func x2APIC() throws {
    for msr in [MSR(0x800), MSR(0x830), MSR(0x8ff)] {
      #expect(try refusal(of: .denying([msr])) == .notFilterable(msr...msr))
    }
    #expect(try refusal(of: .denying([MSR(0x7ff), MSR(0x900)])) == nil)
    #expect(try refusal(of: .denying([MSR(0x7ff), MSR(0x8ff)])) == .notFilterable(MSR(0x7ff)...MSR(0x8ff)))
  }

  @Test("says in its error which limit it breaks")
  func errors() {
    #expect("\(MSRFilterError.tooManyRanges(17))" == "an MSR filter of 17 ranges: KVM takes at most 16")
    #expect(
      "\(MSRFilterError.rangeTooLong(MSR(0)...MSR(0x3000)))"
        == "an MSR range from 0x0 to 0x3000: KVM takes at most 12288 MSRs in a range")
    #expect("\(MSRFilterError.notFilterable(MSR(0x800)...MSR(0x801)))".contains("KVM never filters 0x800 to 0x8ff"))
  }
}
