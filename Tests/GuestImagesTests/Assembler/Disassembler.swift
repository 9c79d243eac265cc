// GNU objdump, as the independent judge of every encoding.

import Glibc
import Registers
import GuestImages

/// Why no disassembly could be had.
struct DisassemblerError: Error, CustomStringConvertible {
  let description: String
}

/// One instruction as objdump sees it.
struct Disassembled {
  let bytes: [UInt8]
  let text: String
}

/// What objdump makes of code at an address, by address; throws if binutils is not installed.
func disassemble(_ code: [UInt8], at origin: UInt64, _ mode: CodeMode) throws -> [UInt64: Disassembled] {
  let machine =
    switch mode {
    case .bits16: "-m i8086 -M i8086,intel"
    case .bits32: "-m i386 -M i386,intel"
    case .bits64: "-m i386:x86-64 -M intel"
    }
  let file = try writeTemporary(code)
  defer { unsafe unlink(file) }
  let (status, output) = try run(
    "objdump -D -b binary --insn-width=16 \(machine) --adjust-vma=\(origin.hex) \(file) 2>&1")
  guard status == 0 else {
    throw DisassemblerError(
      description: status == 127
        ? "objdump is missing; install the package binutils to check the encodings" : "objdump: \(output)")
  }
  var result: [UInt64: Disassembled] = [:]
  for line in output.split(separator: "\n") {
    let columns = line.split(separator: "\t")
    guard columns.count == 3, columns[0].hasSuffix(":"),
      let address = UInt64(columns[0].dropLast().filter { $0 != " " }, radix: 16)
    else { continue }
    let bytes = columns[1].split(separator: " ").compactMap { UInt8($0, radix: 16) }
    result[address] = Disassembled(bytes: bytes, text: String(columns[2]))
  }
  return result
}

/// Runs a command of the shell: its exit status and what it wrote.
func run(_ command: String) throws -> (status: Int32, output: String) {
  guard let stream = unsafe popen(command, "r") else {
    throw DisassemblerError(description: "popen: \(unsafe String(cString: strerror(errno)))")
  }
  var output: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = unsafe fread(&buffer, 1, buffer.count, stream)
    guard count > 0 else { break }
    output += buffer[..<count]
  }
  let status = unsafe pclose(stream)
  return (status >> 8 & 0xFF, String(decoding: output, as: UTF8.self))
}

private func writeTemporary(_ bytes: [UInt8]) throws -> String {
  var template = Array("/tmp/spectrap-code-XXXXXX".utf8CString)
  let descriptor = unsafe mkstemp(&template)
  guard descriptor >= 0 else {
    throw DisassemblerError(description: "mkstemp in /tmp: \(unsafe String(cString: strerror(errno)))")
  }
  defer { close(descriptor) }
  guard unsafe write(descriptor, bytes, bytes.count) == bytes.count else {
    throw DisassemblerError(description: "write to /tmp: \(unsafe String(cString: strerror(errno)))")
  }
  return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
}
