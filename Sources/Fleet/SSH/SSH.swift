// One connection of ssh: a script and the program go in, an answer comes out.
// Facts: ssh(1); ssh_config(5): the first value of an option counts, so those of the user's command come first.

import Subprocess
import Synchronization

/// ssh as a command, with its limits.
package struct SSH: Sendable {
  private let words: [String]

  private static let options = [
    "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15", "-o",
    "ServerAliveCountMax=4",
  ]
  /// How long a host may take to send what it has measured, once it was told to end.
  private static let farewell = Duration.seconds(30)
  private static let longestAnswer = FleetFolder.longestResult + RemoteScript.longestError + 64 << 10
  private static let longestError = 1 << 20

  /// - Parameter command: the program and its options, separated by blanks.
  package init(command: String) throws(FleetError) {
    words = command.split(whereSeparator: \.isWhitespace).map(String.init)
    guard !words.isEmpty else {
      throw FleetError(.usage, "--ssh-command is empty; give a command, such as ssh -p 2222")
    }
  }

  struct Answer: Sendable {
    let status: Int
    let output: [UInt8]
    let errors: String
  }

  /// Runs a line on a host.
  ///
  /// The process must ignore SIGPIPE: a host may end before it has read everything.
  ///
  /// - Parameters:
  ///   - input: the line's standard input, which then stays open until the time limit, or `isCancelled`.
  ///   - timeLimit: how long it may take from the end of the input on.
  /// - Throws: `FleetError` when ssh cannot be run, or the host sends too much.
  func run(
    _ line: String, on host: HostName, input: [[UInt8]], timeLimit: Duration,
    isCancelled: @escaping @Sendable () -> Bool
  ) async throws(FleetError) -> Answer {
    do {
      let result = try await Subprocess.run(
        Tool.executable(words[0]), arguments: Arguments(words.dropFirst() + Self.options + [host.text, line]),
        environment: .inherit.updating(["LC_ALL": "C"]), platformOptions: Tool.ofItsOwn, input: .inputWriter,
        output: .sequence, error: .bytes(limit: Self.longestError)
      ) { execution in
        let transfer = Transfer()
        return try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
          group.addTask {
            var bytes: [UInt8] = []
            for try await buffer in execution.standardOutput {
              guard bytes.count + buffer.count <= Self.longestAnswer else {
                throw FleetError(.dataError, "it sends too much: its answer cannot be read")
              }
              unsafe buffer.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
            }
            return bytes
          }
          group.addTask {
            // If the host ends early, its status says so.
            for part in input { _ = try? await execution.standardInputWriter.write(part) }
            transfer.finish()
            return nil
          }
          group.addTask {
            await transfer.end(after: timeLimit, orWhen: isCancelled)
            guard !Task.isCancelled else { return nil }
            // The end of its input tells the host to end, but the input must not be closed while it is written.
            if transfer.isFinished {
              try? await execution.standardInputWriter.finish()
              try? await Task.sleep(for: Self.farewell)
            }
            if !Task.isCancelled { try? execution.send(signal: .kill, toProcessGroup: true) }
            return nil
          }
          while let answer = try await group.next() {
            if let answer {
              group.cancelAll()
              return answer
            }
          }
          return []
        }
      }
      return Answer(
        status: result.terminationStatus.shellStatus, output: result.closureResult,
        errors: String(decoding: result.standardError, as: UTF8.self))
    } catch let error as FleetError {
      throw error
    } catch let error as SubprocessError {
      throw FleetError(error, of: words[0])
    } catch { throw FleetError(.osError, "\(words[0]) cannot be run: \(error)") }
  }
}

/// When the input of a connection has been written.
private final class Transfer: Sendable {
  private let began = ContinuousClock.now
  private let finished = Mutex<ContinuousClock.Instant?>(nil)

  /// How long the program may take to reach a host.
  private static let limit = Duration.seconds(300)

  var isFinished: Bool { finished.withLock { $0 != nil } }

  func finish() { finished.withLock { $0 = .now } }

  /// Waits until the input takes too long, or the work after it does, or it is no longer wanted.
  func end(after timeLimit: Duration, orWhen isCancelled: @Sendable () -> Bool) async {
    while !Task.isCancelled, !isCancelled() {
      let end = finished.withLock { $0.map { $0 + timeLimit } } ?? began + Self.limit
      if .now >= end { return }
      try? await Task.sleep(for: .milliseconds(100))
    }
  }
}
