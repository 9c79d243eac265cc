// What `--version` says of the program: its version, the commit, how it was built.

import CProgram

enum Build {
  /// A version with the commit and the build: `0.1.0 (commit 276bea8d1c2e, release, static, Swift 6.3)`.
  static func text(of version: String) -> String {
    "\(version) (\(commit), \(configuration), \(cprogram_is_static() == 1 ? "static" : "dynamic"), Swift \(compiler))"
  }

  /// The commit as scripts/build-static has put it into the program.
  private static var commit: String {
    // Safe: the string ends with a zero and lives as long as the program.
    let text = unsafe String(cString: cprogram_commit())
    return text.isEmpty ? "unknown commit" : "commit \(text)"
  }

  private static var configuration: String {
    #if DEBUG
      "debug"
    #else
      "release"
    #endif
  }

  /// The compiler's version, as far as a program can know it.
  private static var compiler: String {
    #if compiler(>=6.5)
      "6.5 or later"
    #elseif compiler(>=6.4)
      "6.4"
    #else
      "6.3"
    #endif
  }
}
