// KVM's binary statistics, read from a file that holds what the kernel would give, or something worse.

import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import Hypervisor

@Suite("Binary statistics")
struct StatisticsTests {
  /// One descriptor of the block: its name, how many values it has, and where they are.
  private struct Field {
    var name: String
    var count: UInt16
    var offset: UInt32
  }

  /// The block as KVM lays it out: header, identifier, descriptors, data.
  private func block(_ fields: [Field], data: [UInt64], header change: (inout [UInt32]) -> Void = { _ in }) -> Data {
    let nameSize = 48
    let descriptorOffset = 24 + nameSize
    let dataOffset = descriptorOffset + fields.count * (16 + nameSize)
    // Flags, name_size, num_desc, id_offset, desc_offset, data_offset.
    var header: [UInt32] = [
      0, UInt32(nameSize), UInt32(fields.count), 24, UInt32(descriptorOffset), UInt32(dataOffset),
    ]
    change(&header)
    var bytes = Data()
    func append(_ value: some FixedWidthInteger) {
      for byte in 0..<value.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: value >> (byte * 8))) }
    }
    func append(name: String) { bytes.append(Data(name.utf8) + Data(count: nameSize - name.utf8.count)) }
    for word in header { append(word) }
    append(name: "kvm-1/vcpu-0")
    for field in fields {
      append(UInt32(0))  // flags
      append(UInt16(0))  // exponent
      append(field.count)
      append(field.offset)
      append(UInt32(0))  // bucket_size
      append(name: field.name)
    }
    for value in data { append(value) }
    return bytes
  }

  private func read(_ content: Data) throws -> Statistics {
    let tree = try FixtureTree()
    try tree.write(content, to: "statistics")
    return try Statistics(reading: try Descriptor.open(tree.files.path("statistics")))
  }

  private let fields = [Field(name: "exits", count: 1, offset: 8), Field(name: "histogram", count: 3, offset: 16)]

  @Test("are read by their names, a histogram with all of its values")
  func reads() throws {
    let statistics = try read(block(fields, data: [1, 2, 3, 4, .max]))
    #expect(statistics.values == ["exits": [2], "histogram": [3, 4, .max]])
    #expect(statistics.exits == 2)
    #expect(statistics["histogram"] == 3)
    #expect(statistics["none"] == nil)
  }

  @Test("may be none")
  func empty() throws {
    #expect(try read(block([], data: [])).values.isEmpty)
  }

  @Test("keep the first of two fields of one name")
  func twice() throws {
    let twice = fields + [Field(name: "exits", count: 1, offset: 0)]
    #expect(try read(block(twice, data: [1, 2, 3, 4, 5])).exits == 2)
  }

  @Test("that do not hold together are refused, not believed")
  func refuses() throws {
    let whole = block(fields, data: [1, 2, 3, 4, 5])
    let broken: [(String, Data)] = [
      ("nothing", Data()),
      ("half a header", whole.prefix(20)),
      ("no descriptors", whole.prefix(24)),
      ("half the data", whole.dropLast(1)),
      ("names without end", block(fields, data: []) { $0[1] = .max }),
      ("fields without end", block(fields, data: []) { $0[2] = .max }),
      ("descriptors far away", block(fields, data: []) { $0[4] = .max }),
      ("data far away", block(fields, data: []) { $0[5] = .max }),
      ("a value far away", block([Field(name: "exits", count: 1, offset: .max)], data: [])),
      ("a longer block than any", block([Field(name: "exits", count: .max, offset: 1 << 20)], data: [])),
    ]
    for (what, content) in broken {
      #expect(throws: KVMError.self, "\(what)") { try read(content) }
    }
  }
}
