// CPU models: finding a leaf, giving and taking features, who the CPU is.

import Testing

@testable import Registers

@Suite("CPUID model")
struct CPUIDModelTests {
  /// The leaves of an AMD family 19h server that ran under KVM.
  private let epyc = CPUIDModel([
    CPUIDEntry(function: 0, eax: 0x1c, ebx: 0x6874_7541, ecx: 0x444d_4163, edx: 0x6974_6e65),
    CPUIDEntry(function: 1, eax: 0x00a1_0f11, ebx: 0x0102_0800, ecx: 0xfffa_3203, edx: 0x178b_fbff),
    CPUIDEntry(function: 7, index: 0, eax: 1, ebx: 0xf1bf_07ab, ecx: 0x0040_5fc6, edx: 0x10),
    CPUIDEntry(function: 0x4000_0000, eax: 0x4000_0001, ebx: 0x4b4d_564b, ecx: 0x564b_4d56, edx: 0x4d),
    CPUIDEntry(function: 0x8000_0000, eax: 0x8000_0021),
    CPUIDEntry(function: 0x8000_0007, edx: 0x100),
    CPUIDEntry(function: 0x8000_0008, eax: 0x0030_3030, ebx: 0x0002_0005, ecx: 0x7001),
  ])

  @Test("of an older KVM's answer is without what stands behind it")
  func padded() {
    let nothing = Array(repeating: CPUIDEntry(function: 0), count: 500)
    #expect(CPUIDModel(padded: epyc.entries + nothing) == epyc)
    #expect(CPUIDModel(padded: epyc.entries) == epyc)
    #expect(CPUIDModel(padded: nothing).entries.isEmpty && CPUIDModel(padded: []).entries.isEmpty)
  }

  @Test("tells vendor, family, model, stepping and hypervisor")
  func identity() {
    #expect(epyc.vendor == "AuthenticAMD")
    #expect(epyc.signature?.family == 0x19)
    #expect(epyc.signature?.model == 0x11)
    #expect(epyc.signature?.stepping == 1)
    #expect(epyc.hypervisorVendor == "KVMKVMKVM")
    #expect(epyc.maximumBasicLeaf == 0x1c)
    #expect(epyc.maximumExtendedLeaf == 0x8000_0021)
    #expect(epyc.has(.invariantTSC))
    #expect(epyc.has(.amdSTIBPAlwaysOn))
    #expect(!epyc.has(.amdIBRS))
  }

  @Test("decodes Intel's extended model, and AMD's extended family")
  func signatures() {
    let skylake = CPUSignature(leaf1EAX: 0x0005_0654)
    #expect((skylake.family, skylake.model, skylake.stepping) == (6, 0x55, 4))
    let milan = CPUSignature(leaf1EAX: 0x00a0_0f11)
    #expect((milan.family, milan.model, milan.stepping) == (0x19, 0x01, 1))
    let pentium = CPUSignature(leaf1EAX: 0x0000_0543)
    #expect((pentium.family, pentium.model, pentium.stepping) == (5, 4, 3))
  }

  @Test("is silent about what it does not hold")
  func empty() {
    let model = CPUIDModel()
    #expect(model.vendor == nil)
    #expect(model.signature == nil)
    #expect(model.brand == nil)
    #expect(model.hypervisorVendor == nil)
    #expect(model.maximumBasicLeaf == 0)
    #expect(model.maximumExtendedLeaf == nil)
    #expect(model.features.isEmpty)
  }

  @Test("makes the leaf of a feature and raises the highest leaf and subleaf to reach it")
  func setCreates() {
    var model = CPUIDModel([CPUIDEntry(function: 0, eax: 4), CPUIDEntry(function: 0x8000_0000, eax: 0x8000_0004)])
    model.set(.bhiCtrl, to: true)
    model.set(.amdIBRS, to: true)
    #expect(model.has(.bhiCtrl) && model.has(.amdIBRS))
    #expect(model.maximumBasicLeaf == 7)
    #expect(model[7, 0]?.eax == 2)
    #expect(model[7, 2]?.flags == CPUIDEntry.significantIndex)
    #expect(model[0x8000_0008]?.flags == 0)
    #expect(model.maximumExtendedLeaf == 0x8000_0008)
    #expect(model.entries.map(\.function) == [0, 7, 7, 0x8000_0000, 0x8000_0008])
  }

  @Test("never lowers the highest leaf, and disturbs no other bit")
  func setKeeps() {
    var model = epyc
    model.set(.specCtrl, to: true)
    #expect(model.maximumBasicLeaf == 0x1c)
    #expect(model[7]?.edx == 0x0400_0010)
    model.set(.specCtrl, to: false)
    #expect(model == epyc)
  }

  @Test("makes nothing when a feature is taken that was never there")
  func unsetAbsent() {
    var model = CPUIDModel()
    model.set(.bhiCtrl, to: false)
    #expect(model.entries.isEmpty)
  }

  @Test("looks at the subleaf only where KVM's flag says that it counts")
  func subleaves() {
    let model = CPUIDModel([CPUIDEntry(function: 1, eax: 5), CPUIDEntry(function: 7, index: 2, edx: 9)])
    #expect(model[1, 77]?.eax == 5)
    #expect(model[7, 2]?.edx == 9)
    #expect(model[7, 0] == nil)
  }

  @Test("replaces, adds in order and removes an entry through its subscript")
  func subscripts() {
    var model = CPUIDModel([CPUIDEntry(function: 0), CPUIDEntry(function: 7, index: 0)])
    model[1] = CPUIDEntry(function: 99, eax: 1)
    model[7, 1] = CPUIDEntry(function: 7, index: 1, eax: 2)
    #expect(model.entries.map(\.function) == [0, 1, 7, 7])
    model[1]?.eax = 3
    #expect(model[1]?.eax == 3)
    model[1] = nil
    #expect(model.entries.map(\.function) == [0, 7, 7])
  }
}

@Suite("CPU features")
struct CPUFeatureTests {
  @Test("stand at different places and have different names")
  func unique() {
    #expect(Set(CPUFeature.all.map(\.name)).count == CPUFeature.all.count)
    let places = CPUFeature.all.map { "\($0.leaf).\($0.subleaf).\($0.register).\($0.bit)" }
    #expect(Set(places).count == places.count)
  }

  @Test("are written as the manual writes them")
  func describes() {
    #expect(CPUFeature.specCtrl.description == "SPEC_CTRL (CPUID.07H.0:EDX[26])")
    #expect(CPUFeature.automaticIBRS.description == "AUTO_IBRS (CPUID.80000021H.0:EAX[8])")
  }
}
