// How the program fails: one sentence on standard error, and the exit status that says what kind of failure it was.
// Facts: sysexits.h.

import ArgumentParser
import Boot
import Experiments
import Fleet
import GuestImages
import Hypervisor
import Images
import Migration
import Sandbox
import SystemPackage

/// A failure with its exit status.
struct Failure: Error {
  let status: Status
  let message: String
  /// Lines below the message, for failures that list many things.
  var details: [String] = []

  enum Status: Int32 {
    case usage = 64
    /// A file that is not what it should be.
    case dataError = 65
    case noInput = 66
    case unavailable = 69
    case software = 70
    /// The system failed at a call, or has too little of something at the moment.
    case osError = 71
    case ioError = 74
    case timedOut = 75
    case noPermission = 77
    /// What a shell reports for a program that Ctrl-C ended.
    case interrupted = 130
  }

  /// Runs a command's work.
  ///
  /// A failure is reported on standard error and ends the program with its status.
  static func reporting(_ body: () throws -> Void) throws {
    defer {
      for file in HostFiles.unread {
        Output.error("spectrap: WARNING: the description of the host is incomplete: \(file)")
      }
    }
    do {
      // A command does not begin when its result cannot be written.
      try Output.check()
      try body()
    } catch {
      throw report(error)
    }
  }

  /// Reports a failure on standard error, and returns the program's exit status.
  static func report(_ error: any Error) -> ExitCode {
    if error is Output.NobodyReads { Output.endUnread() }
    // A command's own exit status comes without a message.
    if let code = error as? ExitCode { return code }
    let failure = error as? Failure ?? Failure(error)
    Output.error("spectrap: \(failure.message)")
    for detail in failure.details { Output.error("  \(detail)") }
    return ExitCode(failure.status.rawValue)
  }
}

extension Failure {
  /// The failure for an error of the library.
  init(_ error: any Error) {
    let status: Status =
      switch error {
      case let error as KVMError: Self.status(of: error)
      case let error as PolicyError: Self.status(of: error)
      case let error as ExperimentError: Self.status(of: error)
      case is GuestImageError: .usage
      case is ImageError: .dataError
      case let error as RunError: Self.status(of: error)
      case let error as MSRFilterError: KVMError(behind: error).map(Self.status(of:)) ?? .software
      case is MSRAccessError, is GuestMemoryError: KVMError(behind: error).map(Self.status(of:)) ?? .unavailable
      case is ContractRefusal: .unavailable
      case BootError.image: .dataError
      case BootError.refused: .unavailable
      case is GuestFileError: .noInput
      case let error as FleetError: Self.status(of: error)
      case let error as PoolError: Self.status(of: error)
      case is SandboxError: .unavailable
      case let error as ExitReasonTraceError: error.isPermission ? .noPermission : .unavailable
      case is MoveDesk.NoThread: .osError
      case let error as VirtualCPUStateError: Self.status(of: error)
      case is SnapshotError: .dataError
      case let error as SocketError: Self.status(of: error)
      case let error as TransferError: Self.status(of: error)
      default: .software
      }
    self.init(status: status, message: "\(error)")
  }

  private static func status(of error: KVMError) -> Status {
    switch (error.operation, error.code) {
    case (_, .permissionDenied), (_, .notPermitted): .noPermission
    case (.open(let path), .noSuchFileOrDirectory) where path != KVM.defaultPath: .noInput
    default: error.isShortage ? .osError : .unavailable
    }
  }

  private static func status(of error: PolicyError) -> Status {
    if let error = KVMError(behind: error) { return status(of: error) }
    return switch error {
    case .refused, .unprotected, .msr, .filter: .unavailable
    case .list: .usage
    case .entryLoad, .exitStore, .exitLoad: .software
    }
  }

  private static func status(of error: ExperimentError) -> Status {
    switch error {
    case .sampleCount, .iterationCount, .pause, .nothingToMeasure, .imageStays: .usage
    case .snapshot: .dataError
    case .noEntry, .workloadRefused, .nothingMeasurable, .mayNotGoOn, .kernelRefused: .unavailable
    case .guestFault, .mailbox, .contradiction, .kernelEnded: .software
    case .unproved(let proofs):
      switch proofs.first?.failure {
      case .timedOut: .timedOut
      case .call(let error): status(of: error) == .noPermission ? .noPermission : .osError
      case nil: .software
      }
    }
  }

  private static func status(of error: VirtualCPUStateError) -> Status {
    switch error {
    case .kvm(let error): status(of: error)
    case .pending: .software
    case .size, .notHeld, .unreadable, .msrs, .contract, .interruptControllers: .unavailable
    }
  }

  private static func status(of error: SocketError) -> Status {
    switch error.code {
    case .permissionDenied, .notPermitted: .noPermission
    case .noSuchFileOrDirectory: .noInput
    default: error.isShortage ? .osError : .unavailable
    }
  }

  private static func status(of error: TransferError) -> Status {
    switch error {
    case .socket(let error): status(of: error)
    case .ended, .nobody: .unavailable
    case .unknown: .timedOut
    case .protocolError: .software
    case .snapshot: .dataError
    }
  }

  private static func status(of error: PoolError) -> Status {
    switch error {
    case .noHost, .sameName, .sameHost: .usage
    case .vendors, .noPolicy: .unavailable
    }
  }

  private static func status(of error: FleetError) -> Status {
    switch error.kind {
    case .usage: .usage
    case .dataError: .dataError
    case .noInput: .noInput
    case .unavailable: .unavailable
    case .output: .ioError
    case .osError: .osError
    case .timedOut: .timedOut
    case .noPermission: .noPermission
    }
  }

  private static func status(of error: RunError) -> Status {
    if let error = KVMError(behind: error) { return status(of: error) }
    return .software
  }
}
