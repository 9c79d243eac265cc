// Boots a Linux kernel for `spectrap bench`, once for each policy and mitigation, and keeps it for all rounds.
// Facts: Linux Documentation/admin-guide/kernel-parameters.txt (spectre_v2, spectre_bhi, quiet).

public import Experiments
public import Hypervisor
import Images

/// A Linux kernel that a benchmark measures.
public struct BenchKernel: Sendable {
  /// The image's name, for messages.
  public let name: String
  let image: GuestFile
  /// The user's addition to its command line.
  let words: String

  /// The memory of each guest in bytes; any distribution's kernel needs less.
  private static let memory: UInt64 = 128 << 20

  /// Checks that an image is a Linux kernel that this host can run; `words` are appended to its command line.
  ///
  /// - Throws: `BootError` if it is not a Linux kernel, or if this host cannot run one.
  public static func prove(_ name: String, _ image: GuestFile, appending words: String, on kvm: borrowing KVM) throws
    -> BenchKernel
  {
    do throws(ImageError) {
      guard try BootableImage(reading: image).isLinux else {
        throw ImageError("it is not a Linux kernel, and only a Linux kernel's system calls can be measured")
      }
    } catch { throw BootError.image(name: name, error) }
    if let reason = try LinuxSupport.proveRefusal(on: kvm) { throw BootError.refused(name: name, reason) }
    return BenchKernel(name: name, image: image, words: words)
  }

  /// The kernel as a benchmark measures it: one guest for each policy and each of these mitigations.
  public func order(_ mitigations: [KernelMitigation]) -> KernelOrder {
    KernelOrder(mitigations) { policy, mitigation, kvm, terms in
      var order = BootOrder(name: name, policy: policy, memory: Self.memory, commandLine: commandLine(for: mitigation))
      // Without a timer no interrupt falls into a sample, so that all counted writes belong to the measured work.
      order.hasTimer = false
      let guest: BootedGuest
      do {
        guest = try order.prepare(image, initrd: nil, line: Silence(), on: kvm, terms: terms)
      } catch BootError.refused(_, let reason) { throw ExperimentError.kernelRefused(reason) }
      return KernelGuest { control in try guest.round(control) }
    }
  }

  /// The kernel's command line: few console messages, the mitigation, and the user's words.
  func commandLine(for mitigation: KernelMitigation) -> String {
    (["quiet"] + mitigation.words + (words.isEmpty ? [] : [words])).joined(separator: " ")
  }
}

extension KernelMitigation {
  /// The words on the kernel's command line.
  ///
  /// IBRS and enhanced IBRS also turn off the loop against branch history injection. Kernels with retpolines do not
  /// have that loop, so the guests then differ in one thing only.
  fileprivate var words: [String] {
    switch self {
    case .auto: []
    case .off, .retpoline: ["spectre_v2=\(rawValue)"]
    case .ibrs, .eibrs: ["spectre_v2=\(rawValue)", "spectre_bhi=off"]
    }
  }
}

extension BootedGuest {
  /// Runs the guest until its first process has measured everything once.
  fileprivate func round(_ control: RunControl) throws -> KernelRound {
    let record = try run(control: control)
    var stopped: RunControl.Stop?
    switch record.end {
    case .done: break
    case .stopped(let stop): stopped = stop
    default:
      let end = BootReport(record).end
      throw ExperimentError.kernelEnded(
        end.sentence + (end.lastLines.last.map { "; its last line was \"\($0)\"" } ?? ""))
    }
    return KernelRound(
      stopped: stopped, says: record.mitigation, isIsolated: record.isIsolated, figures: record.figures,
      interception: record.interception, signals: record.signals)
  }
}

/// A serial line whose output is discarded.
private final class Silence: SerialLine {
  var isPrompt: Bool { false }
  func put(_ bytes: [UInt8]) {}
  func take() -> UInt8? { nil }
}
