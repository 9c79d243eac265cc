// A mutation that knows JSON: numbers become those that overflow, parts are doubled or left out. Everything else
// libFuzzer does.
// Facts: LLVM, compiler-rt/include/fuzzer/FuzzerInterface.h (LLVMFuzzerMutate).

@_extern(c, "LLVMFuzzerMutate")
private func mutate(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ maximum: Int) -> Int

/// Lets libFuzzer change these bytes; at most `maximum` come back.
public func mutated(_ bytes: [UInt8], atMost maximum: Int) -> [UInt8] {
  guard maximum > 0 else { return [] }
  var buffer = Array(bytes.prefix(maximum))
  let size = buffer.count
  buffer += [UInt8](repeating: 0, count: maximum - size)
  // Safe: the buffer is as long as is said.
  let count = unsafe buffer.withUnsafeMutableBufferPointer { unsafe mutate($0.baseAddress!, size, maximum) }
  return Array(buffer.prefix(count))
}

private let numbers = [
  "0", "1", "-1", "255", "256", "4095", "4096", "2147483647", "2147483648", "4294967295", "4294967296",
  "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "-9223372036854775808",
  "1e9", "1e999", "1.5", "null", "\"\"", "[]", "{}", "true",
]

/// Changes something in a JSON text that leaves it JSON more often than not.
public func mutatedJSON(_ text: [UInt8], atMost maximum: Int, with random: inout some RandomNumberGenerator) -> [UInt8]
{
  guard !text.isEmpty, Int.random(in: 0..<4, using: &random) > 0 else { return mutated(text, atMost: maximum) }
  var text = text
  let isDigit = { (byte: UInt8) in (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
  let starts = text.indices.filter { isDigit(text[$0]) && ($0 == 0 || !isDigit(text[$0 - 1])) }
  switch Int.random(in: 0..<3, using: &random) {
  case 0, 1:
    guard let start = starts.randomElement(using: &random) else { break }
    let end = text[start...].firstIndex { !isDigit($0) } ?? text.endIndex
    text.replaceSubrange(start..<end, with: numbers.randomElement(using: &random)!.utf8)
  default:
    // From one comma to another: left out, or put in a second time elsewhere.
    let commas = text.indices.filter { text[$0] == UInt8(ascii: ",") }
    guard let first = commas.randomElement(using: &random), let second = commas.first(where: { $0 > first }) else {
      break
    }
    let part = Array(text[first..<second])
    if Bool.random(using: &random) {
      text.removeSubrange(first..<second)
    } else {
      text.insert(contentsOf: part, at: commas.randomElement(using: &random)!)
    }
  }
  return Array(text.prefix(maximum))
}

/// Runs a mutator of byte arrays on libFuzzer's buffer; gives the new size.
public func inBuffer(
  _ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ maximum: Int, _ body: ([UInt8]) -> [UInt8]
) -> Int {
  // Safe: libFuzzer's buffer has room for `maximum` bytes, of which `size` are set.
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: size))
  let result = body(bytes).prefix(maximum)
  for (index, byte) in result.enumerated() { unsafe data[index] = byte }
  return result.count
}

/// Random numbers from libFuzzer's seed.
public struct Seeded: RandomNumberGenerator {
  private var state: UInt64

  /// The generator that starts from this seed.
  public init(_ seed: UInt32) { state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1 }

  public mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state &* 0x2545_f491_4f6c_dd1d
  }
}
