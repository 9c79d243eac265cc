// The guest's page tables, walked the way the processor walks them.

import Testing

@testable import GuestImages

@Suite("The page tables")
struct PageTableTests {
  private let memory = LoadedMemory([PageTables.image])!
  private let pages = stride(from: 0, to: UInt64(Layout.memorySize), by: Layout.pageSize)

  @Test("map every page of memory to itself, writable, for user mode exactly where the layout says so")
  func identity() {
    for page in pages {
      for address in [page, page + 0x123, page + 0xfff] {
        #expect(
          memory.translate(address)
            == LoadedMemory.Translation(
              physical: address, isUser: Layout.isUser(page), isWritable: true, isExecutable: true),
          "address \(address)")
      }
    }
  }

  @Test("map nothing beyond memory")
  func end() {
    for address in [UInt64(Layout.memorySize), 1 << 21, 1 << 30, 1 << 39, 0x7fff_ffff_f000] {
      #expect(memory.translate(address) == nil, "address \(address)")
    }
  }

  @Test("map one page behind memory for the kernel of a guest that stores there, and nothing else besides")
  func device() throws {
    let with = try #require(LoadedMemory([PageTables.image(mappingDevice: true)]))
    #expect(
      with.translate(Layout.device + 8)
        == LoadedMemory.Translation(
          physical: Layout.device + 8, isUser: false, isWritable: true, isExecutable: true))
    #expect(with.translate(Layout.device + UInt64(Layout.pageSize)) == nil)
    for page in pages { #expect(with.translate(page) == memory.translate(page)) }
  }

  @Test("keep tables, descriptors, the kernel's code and its stack from user mode")
  func supervisorPages() {
    for address in [
      Layout.vectorTable, Layout.pml4, Layout.pageDirectoryPointers, Layout.pageDirectory, Layout.pageTable, Layout.gdt,
      Layout.tss, Layout.idt, Layout.kernelStackTop - 8, Layout.kernelText, Layout.kernelTextEnd - 1,
    ] { #expect(memory.translate(address)?.isUser == false, "address \(address)") }
  }

  @Test("give user mode its code, its stack, the mailbox and the samples")
  func userPages() {
    for address in [
      Layout.userText, Layout.userTextEnd - 1, Layout.userStackTop - 8, Layout.mailbox, Layout.samples,
      UInt64(Layout.memorySize - 1),
    ] { #expect(memory.translate(address)?.isUser == true, "address \(address)") }
  }

  @Test("are marked accessed and dirty already, so that the processor need not write them")
  func accessedAndDirty() {
    for page in pages {
      let entry = memory.word(at: Layout.pageTable + page >> 12 * 8)
      #expect(entry[5] && entry[6])
    }
  }
}
