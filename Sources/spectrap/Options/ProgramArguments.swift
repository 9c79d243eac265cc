// The command line as the kernel passes it: bytes, which need not be UTF-8. The argument parser takes strings, so each
// argument becomes a string from which the same bytes can be restored.
// Facts: execve(2); path_resolution(7): every byte but 0 and the slash may be in a name.

import ArgumentParser
import CProgram
import Glibc
import Hypervisor
import SystemPackage

enum ProgramArguments {
  /// The arguments of the program, its name first; nil where not even the name was given.
  ///
  /// Swift's own list is empty where /proc is not mounted.
  static var given: [[UInt8]]? {
    let count = cprogram_word_count()
    guard count > 0 else { return nil }
    return (0..<count).compactMap { number in
      // Safe: each argument is zero-terminated and lives as long as the program.
      unsafe cprogram_word(number).map { word in
        unsafe UnsafeBufferPointer(start: word, count: strlen(word)).map { UInt8(bitPattern: $0) }
      }
    }
  }

  /// Marks each byte that is no part of a character: U+FFFD in UTF-8.
  private static let mark: [UInt8] = [0xef, 0xbf, 0xbd]

  /// An argument as a string.
  ///
  /// UTF-8 stays as it is; every other byte, and the bytes of U+FFFD itself, become U+FFFD and two hexadecimal digits.
  static func string(of bytes: some Collection<UInt8>) -> String {
    if let text = String(validating: bytes, as: UTF8.self), !text.unicodeScalars.contains("\u{fffd}") { return text }
    var text = ""
    var rest = bytes[...]
    while let byte = rest.first {
      let character = (1...4).lazy.compactMap { String(validating: rest.prefix($0), as: UTF8.self) }.first
      if let character, character != "\u{fffd}" {
        text += character
        rest = rest.dropFirst(character.utf8.count)
      } else {
        text += "\u{fffd}" + byte.hexDigits(2)
        rest = rest.dropFirst()
      }
    }
    return text
  }

  /// The bytes of the argument that became this string.
  static func bytes(of text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.first {
      let isMarked = rest.starts(with: mark)
      let digits = String(decoding: rest.dropFirst(mark.count).prefix(2), as: UTF8.self)
      if isMarked, digits.utf8.count == 2, let value = UInt8(digits, radix: 16) {
        bytes.append(value)
        rest = rest.dropFirst(mark.count + 2)
      } else {
        bytes.append(byte)
        rest = rest.dropFirst()
      }
    }
    return bytes
  }
}

extension FilePath {
  /// The path in a command-line argument, with its exact bytes.
  ///
  /// - Throws: `ValidationError` for an empty argument.
  static func argument(_ text: String) throws -> FilePath {
    guard !text.isEmpty else { throw ValidationError("an empty path names no file") }
    return FilePath(bytes: ProgramArguments.bytes(of: text))
  }
}
