// A user's own guest, out of a file: `run --image FILE`, `bench --guest NAME=FILE`.

import GuestImages
import Images
import SystemPackage

extension GuestImage {
  /// The guest of a file; called so, or as the file is.
  ///
  /// - Throws: `Failure` with the file's name.
  init(file path: FilePath, named name: String? = nil) throws {
    let file = try OpenedGuestFile(path)
    defer { withExtendedLifetime(file) {} }
    do {
      try self.init(elf: file.content, named: name ?? path.lastComponent?.string ?? "-")
    } catch let error as ImageError {
      throw Failure(status: .dataError, message: "\(path): \(error)")
    }
  }
}
