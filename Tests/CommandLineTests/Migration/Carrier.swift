// What carries a migration in tests: sockets, sockets that are said to be forwarded, or a command.

import Glibc

/// How the two sides of a migration are connected.
enum Carrier: String, CaseIterable, Sendable {
  case socket
  case forwardedSocket
  /// `exec:` at the source, `stdio:` at the destination.
  case command
}

/// The named pipes of a command and of a destination.
struct NamedPipes: Sendable {
  let fromSource, toSource, toDestination, fromDestination: String

  init(in folder: String) throws {
    (fromSource, toSource) = ("\(folder)/a", "\(folder)/b")
    (toDestination, fromDestination) = ("\(folder)/c", "\(folder)/d")
    for path in all {
      guard unsafe mkfifo(path, 0o600) == 0 else { throw ChildError(description: "mkfifo") }
    }
  }

  var all: [String] { [fromSource, toSource, toDestination, fromDestination] }
}

/// Where the two sides of a migration meet a relay.
struct Place {
  /// Where the destination waits, and where the relay does.
  let inner, outer: String
  /// The pipes, where commands carry the guest.
  let pipes: NamedPipes?
  /// The destination's command, and the source's options.
  let receive, to: [String]

  init(in folder: String, _ carrier: Carrier) throws {
    (inner, outer) = ("\(folder)/destination", "\(folder)/relay")
    guard carrier == .command else {
      pipes = nil
      let forwarded = carrier == .forwardedSocket ? ["--forwarded"] : []
      receive = [Spectrap.path, "receive", "unix:\(inner)"]
      // It is enough that one side knows.
      to = ["--to", "unix:\(outer)"] + forwarded
      return
    }
    let pipes = try NamedPipes(in: folder)
    self.pipes = pipes
    // The shell gives a command in the background no input of its own.
    let command = "exec 3<&0; cat <&3 >\(pipes.fromSource) & exec cat <\(pipes.toSource) 3<&-"
    to = ["--to", "exec:\(command)"]
    receive = [
      "sh", "-c",
      "program=$1; shift; exec \"$program\" receive stdio: \"$@\" <\(pipes.toDestination) "
        + ">\(pipes.fromDestination)", "sh", Spectrap.path,
    ]
  }

  /// Removes what is left of it in the folder.
  func remove() {
    for path in [inner, outer] + (pipes?.all ?? []) { unsafe _ = unlink(path) }
  }
}

extension Outcome {
  /// Its result: on standard error, behind its messages, where standard output carried a guest.
  var result: String {
    output.isEmpty
      ? errors.split(separator: "\n").filter { !$0.hasPrefix("spectrap: ") }.joined(separator: "\n") : output
  }
}
