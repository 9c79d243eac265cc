// The program under test: SPECTRAP_PROGRAM, else the one that the build has put beside the tests.

import Glibc
import TestSupport
import Testing

enum Spectrap {
  /// How long the program may take: far longer than anything here needs.
  static let patience = Duration.seconds(120)

  /// The folder that the build has put the tests and the programs into, with a slash at its end.
  static let folder: String = {
    // Safe: the buffer is as long as is said, and lives for the length of the call.
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = unsafe buffer.withUnsafeMutableBytes { buffer in
      unsafe readlink("/proc/self/exe", buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
    }
    let tests = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    return String(tests.prefix(through: tests.lastIndex(of: "/") ?? tests.startIndex))
  }()

  /// The path of the program.
  ///
  /// scripts/test names the static one, which is what users run, and starts in a tenth of the time.
  static let path: String = {
    // Safe: nothing changes the environment here, and the string is copied.
    guard let program = unsafe getenv("SPECTRAP_PROGRAM") else { return folder + "spectrap" }
    return unsafe String(cString: program)
  }()

  /// Runs the program with these arguments to its end.
  static func run(_ arguments: String..., under wrapper: [String] = []) throws -> Outcome {
    try run(arguments, under: wrapper)
  }

  /// Runs the program to its end, its standard output into a file where one is named.
  static func run(_ arguments: [String], under wrapper: [String] = [], outputPath: String? = nil) throws -> Outcome {
    try Child(wrapper + [path] + arguments, outputPath: outputPath).outcome(by: .now + patience)
  }

  /// Runs the program and sends it SIGINT when its guest runs.
  static func interrupt(_ arguments: [String]) throws -> Outcome {
    let deadline = ContinuousClock.now + patience
    let child = try Child([path] + arguments)
    let sent = try child.interruptWhenReady(by: deadline)
    return try child.outcome(by: deadline, interruptedAt: sent)
  }

  /// What the program knows without KVM: the names of its workloads, entries and policies.
  static let inventory = Result {
    let outcome = try run("list", "--json", "--kvm", "/nonexistent")
    return try JSONValue(parsing: outcome.output)
  }

  /// The names in a part of the inventory.
  static func names(of part: String) throws -> [String] { try inventory.get()[part]?.elements.map(\.name) ?? [] }
}

extension JSONValue {
  /// The text that this is, or that its `name` is.
  var name: String {
    if case .string(let text) = self { text } else { self["name"]?.name ?? "" }
  }
}

extension Outcome {
  /// Checks that the program failed with this status and said why in one sentence that has these words in it.
  func expectFailure(
    _ status: Int32, saying words: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(self.status == status, "\(errors)", sourceLocation: sourceLocation)
    #expect(errorLines.count == 1 && errors.hasPrefix("spectrap: "), "\(errors)", sourceLocation: sourceLocation)
    for word in words { #expect(errors.contains(word), sourceLocation: sourceLocation) }
  }

  /// Checks that the program refused its arguments, and said what it takes.
  func expectUsageError(saying words: [String], sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(status == 64, "\(errors)", sourceLocation: sourceLocation)
    #expect(output.isEmpty, sourceLocation: sourceLocation)
    #expect(errors.hasPrefix("spectrap: ") && !errors.contains("Error:"), "\(errors)", sourceLocation: sourceLocation)
    #expect(errors.contains("\nUsage: spectrap"), "\(errors)", sourceLocation: sourceLocation)
    for word in words { #expect(errors.contains(word), "\(errors)", sourceLocation: sourceLocation) }
  }
}
