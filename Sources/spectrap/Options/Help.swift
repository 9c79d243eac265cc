// The part of each command's help that is alike: examples, and where there is more to read.

enum Help {
  /// A command's discussion: what it does, examples, and where there is more to read.
  ///
  /// - Parameters:
  ///   - examples: whole command lines.
  ///   - more: a page in the folder docs, or README.md.
  static func text(_ discussion: String = "", examples: [String], more: String) -> String {
    let parts = [
      discussion, "Examples:\n" + examples.map { "  \($0)" }.joined(separator: "\n"),
      "More: \(more).",
    ]
    return parts.filter { !$0.isEmpty }.joined(separator: "\n\n")
  }

  /// What the exit statuses mean, a line each.
  static let statuses = """
    Exit statuses:
      0    done
      1    compare: the threshold was not kept
      64   the command line makes no sense
      65   a file is not what it should be
      66   an input is missing or cannot be read
      69   not possible on this host
      70   the guest, the counters or a move failed
      71   the system failed at a call, or is short of something: memory, threads, descriptors
      74   an output could not be written
      75   a time limit was reached
      77   no permission
      130  stopped by Ctrl-C or SIGTERM; partial results were printed
    """
}
