// What stands in a guest's memory: the parts in their places, and the tables that lead to them.

import Registers
import Testing

@testable import GuestImages

@Suite("A guest's image")
struct GuestImageTests {
  @Test("lies inside memory, each part apart from every other", arguments: Combination.possible)
  func places(combination: Combination) throws {
    let parts = try combination.image().contents.sorted { $0.address < $1.address }
    #expect(LoadedMemory(parts) != nil)
    for (part, next) in zip(parts, parts.dropFirst()) {
      #expect(part.address + UInt64(part.bytes.count) <= next.address)
    }
    let mailbox = Layout.mailbox..<Layout.mailbox + UInt64(Layout.pageSize)
    for part in parts {
      let bytes = part.address..<part.address + UInt64(part.bytes.count)
      #expect(!bytes.overlaps(mailbox) && bytes.upperBound <= Layout.samples, "the VMM's pages are free")
    }
  }

  @Test("has the kernel's code in supervisor pages and user mode's in user pages", arguments: Combination.kernels)
  func pages(combination: Combination) throws {
    let image = try combination.image()
    let memory = try #require(LoadedMemory(image.contents))
    func pages(_ program: Program) -> [Bool?] {
      [program.origin, program.origin + UInt64(program.bytes.count) - 1].map { memory.translate($0)?.isUser }
    }
    #expect(image.kernel.origin == Layout.kernelText)
    #expect(image.kernel.origin + UInt64(image.kernel.bytes.count) <= Layout.kernelTextEnd)
    #expect(pages(image.kernel) == [false, false])
    #expect((image.user == nil) == (combination.entry == .none))
    if let user = image.user {
      #expect(user.origin == Layout.userText)
      #expect(user.origin + UInt64(user.bytes.count) <= Layout.userTextEnd)
      #expect(pages(user) == [true, true])
    }
    #expect(image.start == .long(rip: try #require(image.kernel.labels["boot"]), rsp: Layout.kernelStackTop))
  }

  @Test("leads every exception to the handler for it, and the entry's own to the entry", arguments: Combination.kernels)
  func gates(combination: Combination) throws {
    let image = try combination.image()
    let memory = try #require(LoadedMemory(image.contents))
    let own: Int? =
      switch combination.entry {
      case .breakpoint: 3
      case .undefined: 6
      default: nil
      }
    for vector in 0..<32 {
      let label: Label = vector == own ? "entry" : Label("vector\(vector)")
      #expect(memory.gate(vector) == InterruptGate(to: try #require(image.kernel.labels[label])), "\(vector)")
    }
  }

  @Test("of the workload probe stays in real mode, with every vector in its table")
  func realMode() throws {
    let image = try Combination(workload: .probe, entry: .none).image()
    let memory = try #require(LoadedMemory(image.contents))
    #expect(image.start == .real(ip: UInt16(Layout.kernelText), sp: UInt16(Layout.kernelStackTop)))
    #expect(image.kernel.labels["boot"] == Layout.kernelText)
    #expect(image.kernel.labels.values.allSatisfy { $0 < 0x1_0000 }, "CS is 0: code lies below 64 KiB")
    for vector in 0..<32 {
      let label: Label = vector == 13 ? "refused" : Label("vector\(vector)")
      #expect(UInt64(memory.word(UInt16.self, at: UInt64(vector * 4))) == image.kernel.labels[label])
      #expect(memory.word(UInt16.self, at: UInt64(vector * 4 + 2)) == 0, "the segment")
    }
  }

  @Test("can be read: a title and a listing for each program, with comments", arguments: Combination.possible)
  func listing(combination: Combination) throws {
    let image = try combination.image()
    let text = image.renderListing()
    for (title, program) in image.programs {
      #expect(text.contains("\(title)\n\(program.renderListing())"))
      #expect(program.listing.count { !$0.comment.isEmpty } >= 5)
    }
    #expect(image.programs.map(\.title).allSatisfy { $0.contains(combination.workload == .probe ? "real" : "ring") })
    #expect(text.contains("; the VMM takes over"))
  }
}
