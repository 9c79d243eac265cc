// The overview pages of the modules open with the examples that are built here, to the letter, and these do what their
// comments say.

import FoundationEssentials
import GuestImages
import Hypervisor
import Measurement
import TestSupport
import Testing

@testable import OverviewExamples

@Suite("The overview of a module")
struct OverviewTests {
  /// The root of the checkout, three folders above this file.
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private static func text(_ path: String) throws -> String {
    String(decoding: try Data(contentsOf: root.appending(path: path)), as: UTF8.self)
  }

  @Test(
    "opens with the example as it is built",
    arguments: [
      "Registers", "Host", "GuestImages", "Hypervisor", "Measurement", "Migration", "Experiments", "Rendering",
      "Images", "Boot",
    ])
  func example(module: String) throws {
    let source = try Self.text("Examples/Overview/\(module).swift")
    let start = try #require(source.firstRange(of: "\n\n")).upperBound
    #expect(try Self.text("Sources/\(module)/\(module).docc/\(module).md").contains("```swift\n\(source[start...])```"))
  }

  @Test("is there for every library of the package")
  func all() throws {
    let libraries = try Self.text("Package.swift").split(separator: "\n").compactMap { line -> String? in
      guard let name = line.firstRange(of: ".library(name: \"") else { return nil }
      return line[name.upperBound...].split(separator: "\"").first.map(String.init)
    }
    #expect(libraries.count >= 8)
    for library in libraries {
      #expect(try Self.text("Sources/\(library)/\(library).docc/\(library).md").hasPrefix("# ``\(library)``\n"))
    }
  }

  @Test("has examples that give what they say")
  func results() throws {
    #expect(describe(specCtrl: 5) == "IA32_SPEC_CTRL (0x48) = IBRS|SSBD")
    #expect(describeHost().contains(", Linux "))
    #expect(try guestThatSetsIBRS().renderListing().contains("wrmsr"))
    let (slow, fast) = ((0..<6).map { [200.0 + Double($0)] }, (0..<6).map { [100.0 + Double($0)] })
    let interval = try compare(slow, over: fast)
    #expect(interval.contains(202.5 / 102.5) && interval.lower > 1.9 && interval.upper < 2.1)
    #expect(mayLeaveIBRSAll(under: .passthrough).hasPrefix("unprotected: "))
    let forms = twoForms(of: [("emulate", 1100)])
    #expect(forms.text == "Cycles per kernel entry\npolicy   cycles\nemulate  1100.0\n")
    #expect(forms.markdown.hasPrefix("# Costs\n\n## Cycles per kernel entry\n\n| policy | cycles |\n"))
  }

  @Test("has examples that run guests", .needsKVM, .bounded)
  func guests() throws {
    #expect(try countWrites(of: guestThatSetsIBRS().bytes) == 1)
    #expect(try costs(under: .emulate).count == 20)
    #expect(try costsOfOwnEntry(under: .emulate).count == 20)
  }
}
