// Paths as bytes. They need not be UTF-8, and no byte is 0.
// Facts: path_resolution(7).

package import SystemPackage

extension FilePath {
  /// A path of these bytes, up to the first 0.
  package init(bytes: some Sequence<UInt8>) {
    // Safe: the array ends with a zero, and is valid during the call.
    unsafe self.init(platformString: bytes.map { CInterop.PlatformChar(bitPattern: $0) } + [0])
  }

  /// The path's bytes.
  package var bytes: [UInt8] {
    // Safe: the string is valid during the call and has this length.
    unsafe withPlatformString { start in (0..<length).map { unsafe UInt8(bitPattern: start[$0]) } }
  }
}
