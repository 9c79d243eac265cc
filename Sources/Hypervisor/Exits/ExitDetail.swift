// The full payload of every exit reason that KVM has on x86, for exits that end a run. Not on the hot path.
// Facts: KVM API document, section 5 (the kvm_run structure), and include/uapi/linux/kvm.h.

import CKVM

/// The last exit with its full payload.
public enum ExitDetail: Equatable, Sendable {
  /// An exit that the run loop decodes.
  case common(Exit)
  /// KVM could not name what the hardware reported.
  case unknown(hardwareReason: UInt64)
  case exception(vector: UInt32, errorCode: UInt32)
  case hypercall(number: UInt64, arguments: [UInt64], longMode: Bool)
  case debug(vector: UInt32, pc: UInt64, dr6: UInt64, dr7: UInt64)
  case irqWindowOpen
  /// Triple fault.
  case shutdown
  /// The hardware refused to enter the guest.
  case failEntry(hardwareReason: UInt64, cpu: UInt32)
  case setTPR
  case tprAccess(rip: UInt64, isWrite: Bool)
  case nmi, internalError(InternalError)
  case systemEvent(type: UInt32, data: [UInt64])
  case ioapicEOI(vector: UInt8)
  case hyperVSynIC(msr: UInt32, control: UInt64, eventPage: UInt64, messagePage: UInt64)
  case hyperVHypercall(input: UInt64, parameters: [UInt64])
  case hyperVDebugger(msr: UInt32, control: UInt64, status: UInt64, sendPage: UInt64, receivePage: UInt64)
  case dirtyRingFull, apResetHold, busLock
  case xenHypercall(input: UInt64, parameters: [UInt64], longMode: Bool, cpl: UInt32)
  case notify(contextInvalid: Bool)
  case memoryFault(flags: UInt64, address: GuestPhysicalAddress, bytes: UInt64)
  /// A reason of another architecture, or newer than this library.
  case other(ExitReason)
}

/// The `internal` member of kvm_run: KVM gave up on the guest.
public struct InternalError: Equatable, Sendable {
  /// Which of KVM's reasons (KVM_INTERNAL_ERROR_*).
  public let suberror: UInt32
  /// KVM's data about it, at most 16 words.
  public let data: [UInt64]
  /// The instruction that KVM could not emulate, at most 15 bytes; empty if KVM does not report it.
  public let instruction: [UInt8]

  /// Whether KVM met an instruction that it cannot emulate.
  public var isEmulationFailure: Bool { suberror == UInt32(KVM_INTERNAL_ERROR_EMULATION) }
}

extension InternalError: CustomStringConvertible {
  public var description: String {
    switch CInt(bitPattern: suberror) {
    case KVM_INTERNAL_ERROR_EMULATION: "KVM cannot emulate the instruction"
    case KVM_INTERNAL_ERROR_SIMUL_EX: "unexpected simultaneous exceptions"
    case KVM_INTERNAL_ERROR_DELIVERY_EV: "an exit while an event was being delivered"
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON: "an exit that KVM does not know"
    default: "internal error \(suberror)"
    }
  }
}

extension VirtualCPU {
  /// The last exit with its full payload.
  public var exitDetail: ExitDetail {
    // Safe: the union's members are plain numbers, so that the wrong one is only a wrong number; the exit reason says
    // which one is right.
    let reason = unsafe ExitReason(rawValue: state.pointee.exit_reason)
    switch reason {
    case .unknown: return unsafe .unknown(hardwareReason: state.pointee.hw.hardware_exit_reason)
    case .exception:
      return unsafe .exception(vector: state.pointee.ex.exception, errorCode: state.pointee.ex.error_code)
    case .hypercall:
      let call = unsafe state.pointee.hypercall
      return .hypercall(number: call.nr, arguments: words(of: call.args), longMode: call.longmode != 0)
    case .debug:
      let arch = unsafe state.pointee.debug.arch
      return .debug(vector: arch.exception, pc: arch.pc, dr6: arch.dr6, dr7: arch.dr7)
    case .irqWindowOpen: return .irqWindowOpen
    case .shutdown: return .shutdown
    case .failEntry:
      let entry = unsafe state.pointee.fail_entry
      return .failEntry(hardwareReason: entry.hardware_entry_failure_reason, cpu: entry.cpu)
    case .setTPR: return .setTPR
    case .tprAccess:
      let access = unsafe state.pointee.tpr_access
      return .tprAccess(rip: access.rip, isWrite: access.is_write != 0)
    case .nmi: return .nmi
    case .internalError: return .internalError(internalError)
    case .systemEvent:
      let event = unsafe state.pointee.system_event
      let data = words(of: event.data)
      return .systemEvent(type: event.type, data: Array(data.prefix(Int(event.ndata))))
    case .ioapicEOI: return unsafe .ioapicEOI(vector: state.pointee.eoi.vector)
    case .hyperV: return hyperV
    case .dirtyRingFull: return .dirtyRingFull
    case .apResetHold: return .apResetHold
    case .busLock: return .busLock
    case .xen:
      let call = unsafe state.pointee.xen.u.hcall
      return .xenHypercall(
        input: call.input, parameters: words(of: call.params), longMode: call.longmode != 0, cpl: call.cpl)
    case .notify: return unsafe .notify(contextInvalid: state.pointee.notify.flags & 1 != 0)
    case .memoryFault:
      // Safe: older headers lack the member, so it is read through the union's padding, which is 256 bytes.
      let fault = unsafe withUnsafeBytes(of: state.pointee.padding) {
        unsafe $0.loadUnaligned(as: ckvm_memory_fault.self)
      }
      return .memoryFault(flags: fault.flags, address: GuestPhysicalAddress(rawValue: fault.gpa), bytes: fault.size)
    case .io, .mmio, .halt, .interrupted, .readMSR, .writeMSR:
      return unsafe .common(Exit(decoding: state, reason.rawValue))
    default: return .other(reason)
    }
  }

  private var internalError: InternalError {
    let error = unsafe state.pointee.internal
    let data = words(of: error.data).prefix(Int(error.ndata))
    // KVM_INTERNAL_ERROR_EMULATION: with bit 0 of the flags in the first word, the second holds the length and then the
    // bytes of the instruction (kvm_run.emulation_failure).
    var instruction: [UInt8] = []
    if CInt(bitPattern: error.suberror) == KVM_INTERNAL_ERROR_EMULATION, data.count >= 3, data[0] & 1 != 0 {
      let bytes = data[1...].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
      instruction = Array(bytes.dropFirst().prefix(min(15, Int(bytes[0]))))
    }
    return InternalError(suberror: error.suberror, data: Array(data), instruction: instruction)
  }

  private var hyperV: ExitDetail {
    let exit = unsafe state.pointee.hyperv
    switch CInt(bitPattern: exit.type) {
    case KVM_EXIT_HYPERV_SYNIC:
      let synic = unsafe exit.u.synic
      return .hyperVSynIC(
        msr: synic.msr, control: synic.control, eventPage: synic.evt_page, messagePage: synic.msg_page)
    case KVM_EXIT_HYPERV_HCALL:
      let call = unsafe exit.u.hcall
      return .hyperVHypercall(input: call.input, parameters: words(of: call.params))
    case KVM_EXIT_HYPERV_SYNDBG:
      let debugger = unsafe exit.u.syndbg
      return .hyperVDebugger(
        msr: debugger.msr, control: debugger.control, status: debugger.status, sendPage: debugger.send_page,
        receivePage: debugger.recv_page)
    default: return .other(.hyperV)
    }
  }
}

/// The elements of a C array of 64-bit words, which Swift imports as a tuple.
private func words<T: BitwiseCopyable>(of array: T) -> [UInt64] {
  // Safe: the bytes of a tuple of UInt64 are UInt64s, as many as fit.
  unsafe withUnsafeBytes(of: array) { unsafe Array($0.bindMemory(to: UInt64.self)) }
}
