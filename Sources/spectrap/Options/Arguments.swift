// Parses command-line arguments: names and numbers. An invalid argument is answered with the possible values.

import ArgumentParser
import GuestImages
import Hypervisor
import SystemPackage

/// A type whose values are chosen by name.
protocol Named: RawRepresentable<String>, CaseIterable {}

extension Workload.Name: Named {}
extension Entry: Named {}
extension PolicyName: Named {}

extension Named {
  /// Every name.
  static var names: [String] { allCases.map(\.rawValue) }

  /// The value of this name.
  ///
  /// - Throws: `ValidationError`, which lists the names.
  static func argument(_ text: String) throws -> Self {
    if let value = Self(rawValue: text) { return value }
    throw ValidationError("give \(Suggestion.text(for: text, among: names))")
  }
}

extension ArgumentHelp {
  /// The help of `--trace-kvm`.
  static let exitReasons = ArgumentHelp(
    "Count the exits by the processor's reason, with the kernel's trace event kvm:kvm_exit; needs root.")

  /// The help of an option whose value is chosen by name.
  static func names<Value: Named>(of type: Value.Type, _ abstract: String) -> ArgumentHelp {
    ArgumentHelp(abstract, discussion: "One of \(Value.names.joined(separator: ", ")).")
  }
}

/// Parses a whole number in a range.
func whole<Value: FixedWidthInteger & Sendable>(_ range: ClosedRange<Value>) -> @Sendable (String) throws -> Value {
  { text in
    guard let value = Value(text), range.contains(value) else {
      let end = range.upperBound == .max ? "on" : "to \(range.upperBound)"
      throw ValidationError("give a whole number from \(range.lowerBound) \(end)")
    }
    return value
  }
}

/// Parses a number in a range; the unit is for messages.
func number(_ range: ClosedRange<Double>, _ unit: String) -> @Sendable (String) throws -> Double {
  { text in
    // NaN is in no range.
    guard let value = Double(text), range.contains(value) else {
      throw ValidationError("give from \(Int(range.lowerBound)) to \(Int(range.upperBound)) \(unit)")
    }
    return value
  }
}

/// Negative numbers, which the argument parser takes for options.
enum NegativeNumbers {
  /// The arguments with `--samples -5` as `--samples=-5`; no option's name is a number.
  static func joined(_ words: [String]) -> [String] {
    var joined: [String] = []
    for (index, word) in words.enumerated() {
      // Everything after "--" stays as it is.
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
    // Suggestions ignore case and the prefix that most names have.
    let name = text.uppercased()
    let meant = Suggestion.nearest(to: name, among: names) ?? Suggestion.nearest(to: "IA32_\(name)", among: names)
    throw ValidationError(
      "\"\(text)\" is no MSR; give a number (0x48) or one of \(names.joined(separator: ", "))"
        + (meant.map { "; did you mean \($0)?" } ?? ""))
  }
}
