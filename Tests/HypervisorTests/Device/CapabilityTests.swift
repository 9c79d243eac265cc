// Capability numbers and names, compared with the machine's own <linux/kvm.h>.

import Hypervisor
import Testing

@Suite("Capability")
struct CapabilityTests {
  private static let header = HostFiles().text("usr/include/linux/kvm.h", limit: 1 << 20)

  @Test("has the number and the name that the machine's own header gives it", .enabled(if: header != nil))
  func agreesWithTheHeader() throws {
    let header = try #require(CapabilityTests.header)
    var compared = 0
    for line in header.split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
      guard words.count >= 3, words[0] == "#define", words[1].hasPrefix("KVM_CAP_"), let number = UInt32(words[2])
      else { continue }
      // A header newer than the table may know more; what both know must agree.
      guard let name = Capability.names[number] else {
        #expect(number > 251, "KVM_CAP number \(number) has no name here; the header calls it \(words[1])")
        continue
      }
      #expect("KVM_CAP_" + name == words[1])
      compared += 1
    }
    #expect(compared > 200)
  }

  @Test("has one number for each name")
  func unique() {
    #expect(Set(Capability.names.values).count == Capability.names.count)
    #expect(Capability.all.last?.rawValue == 251)
  }

  @Test("is read from a name in any case, with or without its prefix, and from a number")
  func parses() {
    for text in ["X86_MSR_FILTER", "kvm_cap_x86_msr_filter", "189"] {
      #expect(Capability(parsing: text) == .msrFilter)
    }
    for text in ["", "KVM_CAP_", "NO_SUCH", "-1", "4294967296"] {
      #expect(Capability(parsing: text) == nil)
    }
    #expect(Capability.msrFilter.description == "KVM_CAP_X86_MSR_FILTER")
    #expect(Capability(rawValue: 9999).description == "KVM_CAP_9999")
  }

  @Test("stands behind a constant of the same meaning")
  func constants() {
    let expected: [(Capability, String)] = [
      (.irqchip, "IRQCHIP"), (.userMemory, "USER_MEMORY"), (.setTSSAddress, "SET_TSS_ADDR"),
      (.setIdentityMapAddress, "SET_IDENTITY_MAP_ADDR"), (.recommendedVCPUs, "NR_VCPUS"),
      (.maximumVCPUs, "MAX_VCPUS"), (.maximumVCPUID, "MAX_VCPU_ID"), (.memorySlots, "NR_MEMSLOTS"),
      (.readOnlyMemory, "READONLY_MEM"), (.syncMMU, "SYNC_MMU"), (.splitIRQChip, "SPLIT_IRQCHIP"),
      (.checkExtensionVM, "CHECK_EXTENSION_VM"), (.enableCapabilityVM, "ENABLE_CAP_VM"), (.vmTypes, "VM_TYPES"),
      (.userMemory2, "USER_MEMORY2"), (.guestMemfd, "GUEST_MEMFD"), (.memoryFaultInfo, "MEMORY_FAULT_INFO"),
      (.immediateExit, "IMMEDIATE_EXIT"), (.syncRegisters, "SYNC_REGS"), (.disableExits, "X86_DISABLE_EXITS"),
      (.internalErrorData, "INTERNAL_ERROR_DATA"), (.exitOnEmulationFailure, "EXIT_ON_EMULATION_FAILURE"),
      (.exitHypercall, "EXIT_HYPERCALL"), (.tripleFaultEvent, "X86_TRIPLE_FAULT_EVENT"),
      (.busLockExit, "X86_BUS_LOCK_EXIT"), (.notifyVMExit, "X86_NOTIFY_VMEXIT"), (.coalescedPIO, "COALESCED_PIO"),
      (.coalescedMMIO, "COALESCED_MMIO"), (.haltPoll, "HALT_POLL"), (.userSpaceMSR, "X86_USER_SPACE_MSR"),
      (.msrFilter, "X86_MSR_FILTER"), (.getMSRFeatures, "GET_MSR_FEATURES"), (.msrPlatformInfo, "MSR_PLATFORM_INFO"),
      (.extendedCPUID, "EXT_CPUID"), (.emulatedCPUID, "EXT_EMUL_CPUID"),
      (.enforcePVFeatureCPUID, "ENFORCE_PV_FEATURE_CPUID"), (.nestedState, "NESTED_STATE"),
      (.debugRegisters, "DEBUGREGS"), (.xsave, "XSAVE"), (.xsave2, "XSAVE2"), (.xcrs, "XCRS"), (.sregs2, "SREGS2"),
      (.vcpuEvents, "VCPU_EVENTS"), (.setGuestDebug, "SET_GUEST_DEBUG"), (.setGuestDebug2, "SET_GUEST_DEBUG2"),
      (.disableQuirks2, "DISABLE_QUIRKS2"), (.smm, "X86_SMM"), (.x2APICAPI, "X2APIC_API"),
      (.guestMode, "X86_GUEST_MODE"), (.tscControl, "TSC_CONTROL"), (.getTSCKHz, "GET_TSC_KHZ"),
      (.vmTSCControl, "VM_TSC_CONTROL"), (.tscDeadlineTimer, "TSC_DEADLINE_TIMER"), (.adjustClock, "ADJUST_CLOCK"),
      (.irqfd, "IRQFD"), (.ioeventfd, "IOEVENTFD"), (.binaryStatistics, "BINARY_STATS_FD"),
      (.systemAttributes, "SYS_ATTRIBUTES"), (.dirtyLogRing, "DIRTY_LOG_RING"),
      (.manualDirtyLogProtect2, "MANUAL_DIRTY_LOG_PROTECT2"), (.pmuCapability, "PMU_CAPABILITY"),
      (.pmuEventFilter, "PMU_EVENT_FILTER"),
    ]
    for (capability, name) in expected { #expect(capability.name == name) }
  }
}
