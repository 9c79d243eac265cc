// A mailbox as a guest that has come to its end leaves it.

@testable import GuestImages

extension Mailbox {
  /// A guest that is done and has counted so many kernel entries.
  static func made(kernelEntries: UInt64) -> Mailbox {
    let words = [State.done.rawValue, 0, kernelEntries]
    let head = MemoryImage(address: 0, words: words).bytes
    // A page of the right length with a state that there is.
    return Mailbox(page: head + Array(repeating: 0, count: Layout.pageSize - head.count))!
  }
}
