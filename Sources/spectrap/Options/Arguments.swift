// How words on the command line become values: names and numbers; another word is answered with those that are
// possible.

import ArgumentParser
import GuestImages
import Hypervisor
import SystemPackage

/// What is chosen by its name.
protocol Named: RawRepresentable<String>, CaseIterable {}

extension Workload.Name: Named {}
extension Entry: Named {}
extension PolicyName: Named {}

extension Named {
  /// Every name.
  static var names: [String] { allCases.map(\.rawValue) }

  /// The one of this name.
  ///
  /// - Throws: `ValidationError`, which lists the names.
  static func argument(_ text: String) throws -> Self {
    if let value = Self(rawValue: text) { return value }
    throw ValidationError("give \(Suggestion.text(for: text, among: names))")
  }
}

extension ArgumentHelp {
  /// The help for what is chosen by its name.
  static func names<Value: Named>(of type: Value.Type, _ abstract: String) -> ArgumentHelp {
    ArgumentHelp(abstract, discussion: "One of \(Value.names.joined(separator: ", ")).")
  }
}

/// A whole number of a range; another word is answered with the range.
func whole<Value: FixedWidthInteger & Sendable>(_ range: ClosedRange<Value>) -> @Sendable (String) throws -> Value {
  { text in
    guard let value = Value(text), range.contains(value) else {
      let end = range.upperBound == .max ? "on" : "to \(range.upperBound)"
      throw ValidationError("give a whole number from \(range.lowerBound) \(end)")
    }
    return value
  }
}

/// A number of a range, in some unit; another word is answered with the range.
func number(_ range: ClosedRange<Double>, _ unit: String) -> @Sendable (String) throws -> Double {
  { text in
    // No range contains what is no number.
    guard let value = Double(text), range.contains(value) else {
      throw ValidationError("give from \(Int(range.lowerBound)) to \(Int(range.upperBound)) \(unit)")
    }
    return value
  }
}

/// Numbers below zero, which the argument parser takes for the names of options.
enum NumberWords {
  /// The words with `--samples -5` as `--samples=-5`: no option is called like a number.
  static func joined(_ words: [String]) -> [String] {
    var joined: [String] = []
    for (index, word) in words.enumerated() {
      // What follows "--" is taken as it is.
      if word == "--" { return joined + words[index...] }
      if word.hasPrefix("-"), Double(word) != nil, let option = joined.last, option.hasPrefix("--"),
        !option.contains("=")
      {
        joined[joined.count - 1] = "\(option)=\(word)"
      } else {
        joined.append(word)
      }
    }
    return joined
  }
}

/// The options of every command that talks to KVM.
struct KVMOptions: ParsableArguments {
  @Option(
    name: .customLong("kvm"), help: ArgumentHelp("The KVM device.", valueName: "path"), transform: FilePath.argument)
  var path: FilePath = KVM.defaultPath

  /// Opens the device.
  ///
  /// - Throws: `KVMError`.
  func open() throws(KVMError) -> KVM { try KVM(path: path) }
}

extension MSR {
  /// The MSR of this name or number.
  ///
  /// - Throws: `ValidationError`, which lists the names.
  static func argument(_ text: String) throws -> MSR {
    if let msr = MSR(parsing: text) { return msr }
    let names = MSR.names.filter { !MSR.x2APIC.contains($0.msr) }.map(\.name).sorted()
    // Case does not matter, nor what most names begin with.
    let word = text.uppercased()
    let meant = Suggestion.nearest(to: word, among: names) ?? Suggestion.nearest(to: "IA32_\(word)", among: names)
    throw ValidationError(
      "\"\(text)\" is no MSR; give a number (0x48) or one of \(names.joined(separator: ", "))"
        + (meant.map { "; did you mean \($0)?" } ?? ""))
  }
}
