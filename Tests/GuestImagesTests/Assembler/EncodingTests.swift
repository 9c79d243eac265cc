// Every instruction form in every mode, against an independent disassembler. The forms are data: Forms+*.swift.

import GuestImages
import Testing

@Suite("Every instruction form")
struct EncodingTests {
  @Test("is what objdump says it is, and is refused in the modes that lack it", arguments: CodeMode.allCases)
  func encodings(mode: CodeMode) throws {
    let origin: UInt64 = 0x1000
    var code: [UInt8] = []
    var expected: [(line: ListingLine, text: String)] = []
    for form in Form.all {
      // Each form is a program of its own, so that branches have a label near them.
      var asm = Assembler(origin: origin + UInt64(code.count), mode: mode)
      asm.bind("target")
      form.emit(&asm)
      guard form.modes.contains(mode) else {
        if let program = try? asm.assemble() {
          Issue.record("\(form.signature) should be refused in \(mode): \(program.listing.map(\.mnemonic))")
        }
        continue
      }
      do {
        let program = try asm.assemble()
        code += program.bytes
        expected += program.listing.filter { $0.kind == .instruction }.map { ($0, normalise($0, program.labels)) }
      } catch { Issue.record("\(form.signature) in \(mode): \(error)") }
    }
    let seen = try disassemble(code, at: origin, mode)
    #expect(seen.count == expected.count, "one line of objdump for one line of the listing")
    let differences = expected.compactMap { line, text -> String? in
      guard let judge = seen[line.address] else { return "\(text): objdump sees no instruction here" }
      let theirs = normalise(judge, mode)
      return theirs == text && judge.bytes == line.bytes ? nil : "\(text) <> \(theirs): \(line.bytes)"
    }
    #expect(differences.isEmpty, "\(differences.count) of \(expected.count): \(differences.prefix(40))")
  }

  @Test("stands in the list of forms, one entry or more for each method of the assembler")
  func completeness() throws {
    let folder = #filePath.replacing(#/Tests/GuestImagesTests/.*/#, with: "Sources/GuestImages/Assembler")
    let methods = try signatures(in: "'\(folder)'/Assembler+*.swift")
    let data = try signatures(in: "'\(folder)'/Assembler+Data.swift")
    #expect(methods.count > 50 && data == ["bytes(some Collection<UInt8>)"], "the sources are found and read")
    let listed = Set(Form.all.map(\.signature))
    #expect(methods.subtracting(data).subtracting(listed).sorted() == [], "methods without a form")
    #expect(listed.subtracting(methods).sorted() == [], "forms without a method")
  }

  /// The public methods of files, as `name(type, type)` without the comment.
  private func signatures(in files: String) throws -> Set<String> {
    let (status, source) = try run("cat \(files)")
    #expect(status == 0)
    let methods = source.matches(of: #/public mutating func `?(\w+)`?(?:<[^>]*>)?\(([^)]*)\)/#)
    return Set(
      methods.map { method in
        let types = method.2.split(separator: ",").compactMap { parameter -> String? in
          guard let colon = parameter.firstIndex(of: ":") else { return nil }
          let type = parameter[parameter.index(after: colon)...].split(separator: "=")[0]
          return String(type.replacing(#/^\s+|\s+$/#, with: ""))
        }
        return "\(method.1)(\(types.filter { $0 != "String" }.joined(separator: ", ")))"
      })
  }
}
