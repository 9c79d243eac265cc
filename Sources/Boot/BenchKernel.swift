// A Linux kernel for `spectrap bench`: booted under each policy with each mitigation, and kept.
// Facts: Linux Documentation/admin-guide/kernel-parameters.txt (spectre_v2, spectre_bhi, quiet).

public import Experiments
public import Hypervisor
import Images

/// A Linux kernel that a benchmark measures.
public struct BenchKernel: Sendable {
  /// The image's name, for messages.
  public let name: String
  let image: GuestFile
  /// What the user appends to its command line.
  let words: String

  /// What each guest gets: any distribution's kernel needs less.
  private static let memory: UInt64 = 128 << 20

  /// A kernel that is there to be measured on this host; `words` are appended to its command line.
  ///
  /// - Throws: `BootError` where it is no kernel, or this host cannot run one.
  public static func prove(_ name: String, _ image: GuestFile, appending words: String, on kvm: borrowing KVM) throws
    -> BenchKernel
  {
    do throws(ImageError) {
      guard try BootableImage(reading: image).isLinux else {
        throw ImageError("it is no Linux kernel, and another guest has no system calls to measure")
      }
    } catch { throw BootError.image(name: name, error) }
    if let reason = try LinuxSupport.proveRefusal(on: kvm) { throw BootError.refused(name: name, reason) }
    return BenchKernel(name: name, image: image, words: words)
  }

  /// The kernel as a benchmark asks for it, told each of these mitigations.
  public func order(_ mitigations: [KernelMitigation]) -> KernelOrder {
    KernelOrder(mitigations) { policy, mitigation, kvm, terms in
      var order = BootOrder(name: name, policy: policy, memory: Self.memory, commandLine: commandLine(for: mitigation))
      // Without a timer no interrupt is in a sample, and every write is accounted for.
      order.hasTimer = false
      let guest: BootedGuest
      do {
        guest = try order.prepare(image, initrd: nil, line: Silence(), on: kvm, terms: terms)
      } catch BootError.refused(_, let reason) { throw ExperimentError.kernelRefused(reason) }
      return KernelGuest { control in try guest.round(control) }
    }
  }

  /// What a kernel is told: as little as possible is said on its console, then the mitigation, then the user's words.
  func commandLine(for mitigation: KernelMitigation) -> String {
    (["quiet"] + mitigation.words + (words.isEmpty ? [] : [words])).joined(separator: " ")
  }
}

extension KernelMitigation {
  /// The words of the kernel's command line; the loop against branch history injection, which kernels with retpolines
  /// do not have, is left out of the others, so that they differ in one thing.
  fileprivate var words: [String] {
    switch self {
    case .auto: []
    case .off, .retpoline: ["spectre_v2=\(rawValue)"]
    case .ibrs, .eibrs: ["spectre_v2=\(rawValue)", "spectre_bhi=off"]
    }
  }
}

extension BootedGuest {
  /// Runs it on until its first process has measured once.
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
      stopped: stopped, says: record.mitigation, figures: record.figures, interception: record.interception,
      signals: record.signals)
  }
}

/// The other end of a serial line to which nobody listens.
private final class Silence: SerialLine {
  var isPrompt: Bool { false }
  func put(_ bytes: [UInt8]) {}
  func take() -> UInt8? { nil }
}
