// Runs the programs of Slurm to their end, with limits for their time and their output.
// Facts: SQUEUE_FORMAT and the like in squeue(1), sinfo(1) and scontrol(1) change what these print.

import Subprocess
import SystemPackage

/// A program on this machine.
enum Tool {
  struct Answer: Equatable, Sendable {
    /// 128 and the signal's number where a signal ended it.
    let status: Int
    let output: String
    let errors: String

    /// Why it failed, in its own words.
    var complaint: String { errors.firstLine ?? output.firstLine ?? "exit status \(status), without a message" }
  }

  /// How long a program of Slurm may take.
  ///
  /// Slurm's own limit for a message is 10 seconds (MessageTimeout), and its programs try again.
  static let patience = Duration.seconds(60)
  /// More than `squeue` prints of a hundred thousand jobs.
  private static let longest = 32 << 20

  /// Runs a program to its end.
  ///
  /// - Parameter input: the program's standard input.
  /// - Throws: `FleetError` when it is not there, takes too long or prints too much.
  static func run(
    _ command: [String], input: String = "", within limit: Duration = patience
  ) async throws(FleetError) -> Answer {
    let name = command[0]
    let answer: Answer?
    do {
      answer = try await withThrowingTaskGroup(of: Answer?.self) { group in
        group.addTask { try await start(command, input: input) }
        group.addTask {
          try await Task.sleep(for: limit)
          return nil
        }
        defer { group.cancelAll() }
        return try await group.next() ?? nil
      }
    } catch let error as SubprocessError {
      throw FleetError(error, of: name)
    } catch {
      throw FleetError(.osError, "\(name) cannot be run: \(error)")
    }
    guard let answer else {
      throw FleetError(.timedOut, "\(name) has not answered within \(limit.components.seconds) s")
    }
    return answer
  }

  private static func start(_ command: [String], input: String) async throws -> Answer {
    let result = try await Subprocess.run(
      executable(command[0]), arguments: Arguments(Array(command.dropFirst())), environment: environment,
      platformOptions: ofItsOwn, input: .string(input), output: .bytes(limit: longest), error: .bytes(limit: longest))
    return Answer(
      status: result.terminationStatus.shellStatus, output: String(decoding: result.standardOutput, as: UTF8.self),
      errors: String(decoding: result.standardError, as: UTF8.self))
  }

  /// A program by its path, or by its name in PATH.
  static func executable(_ word: String) -> Executable { word.contains("/") ? .path(FilePath(word)) : .name(word) }

  /// This program's environment, without the variables that change the form of an answer.
  static var environment: Environment {
    .inherit.updating([
      "LC_ALL": "C", "SQUEUE_FORMAT": nil, "SQUEUE_FORMAT2": nil, "SQUEUE_STATES": nil, "SQUEUE_PARTITION": nil,
      "SQUEUE_SORT": nil, "SQUEUE_NAMES": nil, "SQUEUE_USERS": nil, "SINFO_FORMAT": nil, "SINFO_PARTITION": nil,
      "SINFO_SORT": nil, "SLURM_TIME_FORMAT": nil, "SBATCH_WAIT": nil, "SBATCH_ARRAY_INX": nil,
    ])
  }

  /// Not in the terminal's process group, so that Ctrl-C reaches this program alone, which ends them in order.
  static var ofItsOwn: PlatformOptions {
    var options = PlatformOptions()
    options.processGroupID = 0
    return options
  }
}

extension TerminationStatus {
  /// The status as a shell reports it.
  var shellStatus: Int {
    switch self {
    case .exited(let code): Int(code)
    case .signaled(let signal): 128 + Int(signal)
    }
  }
}

extension FleetError {
  /// The failure of a program that did not start, or whose answer is too long.
  init(_ error: SubprocessError, of name: String) {
    switch error.code {
    case .executableNotFound:
      self.init(
        .unavailable,
        name.contains("/")
          ? "there is no program \(name); give the path of one that is there"
          : "there is no program \"\(name)\" in PATH here; install it, or set PATH to where it is")
    case .outputLimitExceeded: self.init(.dataError, "\(name) prints too much: its output cannot be read")
    default: self.init(.osError, "\(name) cannot be run: \(error)")
    }
  }
}
