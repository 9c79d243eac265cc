// The options of `spectrap bench` about a Linux kernel that is measured as well.

import ArgumentParser
import Boot
import Experiments
import Hypervisor
import SystemPackage

struct KernelOptions: ParsableArguments {
  @Option(
    name: .customLong("kernel"),
    help: ArgumentHelp(
      "Boot this Linux kernel under each policy and measure its own work, too; auto is the running kernel's, in /boot.",
      valueName: "vmlinuz|auto"),
    transform: FilePath.argument)
  var image: FilePath?

  @Option(
    name: .customLong("mitigation"),
    help: ArgumentHelp(
      "What that kernel is told to do against Spectre v2, several with commas (default: auto).",
      discussion: "Of \(KernelMitigation.names.joined(separator: ", ")).", valueName: "mitigation"),
    transform: Self.mitigations)
  var lists: [[KernelMitigation]] = []

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Append this to that kernel's command line.", valueName: "text"))
  var append: String?

  func validate() throws {
    guard image == nil, !lists.isEmpty || append != nil else { return }
    throw ValidationError("\(lists.isEmpty ? "--append" : "--mitigation") is about the kernel that --kernel names")
  }

  /// The kernel, opened and found fit for this host; nil where none is asked for.
  ///
  /// - Throws: `Failure` when it cannot be read, and what `BenchKernel.prove` throws.
  func prove(on path: FilePath) throws -> (order: KernelOrder, file: OpenedGuestFile)? {
    guard let image else { return nil }
    let file = image == "auto" ? try Self.runningKernel() : (path: image, opened: try OpenedGuestFile(image))
    let kernel = try BenchKernel.prove(
      "\(file.path)", file.opened.content, appending: append ?? "", on: try KVM(path: path))
    var mitigations: [KernelMitigation] = []
    for mitigation in lists.joined() where !mitigations.contains(mitigation) { mitigations.append(mitigation) }
    return (kernel.order(mitigations.isEmpty ? [.auto] : mitigations), file.opened)
  }

  /// The image of the kernel that runs here, where distributions put it.
  private static func runningKernel() throws -> (path: FilePath, opened: OpenedGuestFile) {
    guard let release = HostKernel().release else {
      throw Failure(status: .noInput, message: "--kernel auto: nothing tells which kernel runs here; name its image")
    }
    let path = FilePath("/boot/vmlinuz-\(release)")
    do { return (path, try OpenedGuestFile(path)) } catch let failure as Failure {
      throw Failure(
        status: failure.status,
        message: "--kernel auto takes the running kernel's image, and \(failure.message); name an image")
    }
  }

  private static func mitigations(_ text: String) throws -> [KernelMitigation] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { try KernelMitigation.argument(String($0)) }
  }
}

extension KernelMitigation: Named {}
