// The rules of VMX's MSR areas, for the lists that model them.

import Testing

@testable import Hypervisor

@Suite("Autoload lists")
struct AutoloadListsTests {
  private static let areas: [AutoloadLists.Area] = [.entryLoad, .exitStore, .exitLoad]

  /// Lists that are empty but for one area.
  private func lists(_ area: AutoloadLists.Area, _ msrs: [MSR]) throws(AutoloadListError) -> AutoloadLists {
    let entries = msrs.map { MSREntry($0, 0) }
    return try AutoloadLists(
      entryLoad: area == .entryLoad ? entries : [], exitStore: area == .exitStore ? msrs : [],
      exitLoad: area == .exitLoad ? entries : [])
  }

  private func refusal(_ area: AutoloadLists.Area, _ msrs: [MSR]) -> AutoloadListError? {
    do throws(AutoloadListError) { _ = try lists(area, msrs) } catch { return error }
    return nil
  }

  @Test("take 512 entries and refuse 513, in each area", arguments: areas)
  func length(area: AutoloadLists.Area) throws {
    _ = try lists(area, Array(repeating: .specCtrl, count: 512))
    #expect(refusal(area, Array(repeating: .specCtrl, count: 513)) == .tooLong(area, count: 513))
  }

  @Test("may be empty, and may name an MSR more than once")
  func ordinary() throws {
    for area in Self.areas {
      _ = try lists(area, [])
      _ = try lists(area, [.specCtrl, .kernelGSBase, .specCtrl])
    }
  }

  /// The MSRs with a rule of their own, and the areas that each may not stand in.
  private static let forbidden: [(MSR, Set<AutoloadLists.Area>)] = [
    (.fsBase, [.entryLoad, .exitLoad]),
    (.gsBase, [.entryLoad, .exitLoad]),
    (.smmMonitorControl, [.entryLoad, .exitLoad]),
    (.smBase, [.exitStore]),
    (.biosUpdateTrigger, [.entryLoad, .exitStore, .exitLoad]),
    (.biosUpdateSignature, [.entryLoad, .exitStore, .exitLoad]),
    (MSR(0x800), [.entryLoad, .exitStore, .exitLoad]),
    (MSR(0x808), [.entryLoad, .exitStore, .exitLoad]),
    (MSR(0x8ff), [.entryLoad, .exitStore, .exitLoad]),
    (MSR(0x7ff), []), (MSR(0x900), []), (MSR(0x1000_0808), []),
    (.kernelGSBase, []), (.specCtrl, []), (.sysenterESP, []),
  ]

  @Test("refuse each MSR that the hardware forbids, in each area where it does", arguments: forbidden)
  func rules(msr: MSR, areas: Set<AutoloadLists.Area>) {
    for area in Self.areas {
      let error = refusal(area, [msr])
      #expect((error != nil) == areas.contains(area), "\(msr) in \(area)")
      guard let error else { continue }
      guard case .forbidden(area, index: 1, msr, let reason) = error else {
        Issue.record("\(error)")
        continue
      }
      #expect(!reason.isEmpty)
    }
  }

  @Test("name the entry by its number, from 1, and the reason", arguments: areas)
  func indices(area: AutoloadLists.Area) throws {
    let msrs = Array(repeating: MSR.specCtrl, count: 299) + [.biosUpdateTrigger, .biosUpdateTrigger]
    let error = try #require(refusal(area, msrs))
    #expect(
      "\(error)"
        == "entry 300 of the \(area.rawValue) list is IA32_BIOS_UPDT_TRIG (0x79): "
        + "the MSRs of a microcode update may not be in the list")
    #expect(
      "\(AutoloadListError.tooLong(area, count: 513))"
        == "the \(area.rawValue) list has 513 entries; the hardware takes at most 512")
  }
}
