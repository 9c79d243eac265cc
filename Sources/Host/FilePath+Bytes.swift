// Paths as what they are: bytes, of which none is 0. They need not be UTF-8.
// Facts: path_resolution(7).

package import SystemPackage

extension FilePath {
  /// A path of these bytes, up to the first that is 0.
  package init(bytes: some Sequence<UInt8>) {
    // Safe: the array ends with a zero, and lives for the length of the call.
    unsafe self.init(platformString: bytes.map { CInterop.PlatformChar(bitPattern: $0) } + [0])
  }

  /// The path's bytes.
  package var bytes: [UInt8] {
    // Safe: the string is valid for the length of the call, and as long as is said.
    unsafe withPlatformString { start in (0..<length).map { unsafe UInt8(bitPattern: start[$0]) } }
  }
}
