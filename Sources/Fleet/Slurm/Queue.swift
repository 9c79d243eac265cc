// The output of Slurm's programs: squeue's table, sbatch's number, scontrol's record of a job. A site may add lines of
// its own, so every line that does not have the form is passed over.
// Facts: squeue(1), JOB STATE CODES, and --format; sbatch(1), --parsable; scontrol(1), show job.

/// The jobs of a user, by their numbers.
struct Queue: Equatable {
  struct Job: Equatable {
    let stage: Stage
    /// The state in Slurm's word.
    let state: String
    /// Why the job waits, or ended in this state.
    let reason: String
  }

  enum Stage: Equatable {
    case waiting, running, ended
  }

  /// squeue's format: number, state, reason.
  static let format = "%i|%T|%r"

  private let jobs: [Int: Job]

  /// A table of the form `format`.
  init(parsing text: String) {
    var jobs: [Int: Job] = [:]
    for line in text.split(whereSeparator: \.isNewline) {
      let fields = line.split(separator: "|", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3, let number = JobNumber.parse(fields[0]), let state = Self.state(fields[1]) else {
        continue
      }
      jobs[number] = Job(stage: Self.stage(of: state), state: state, reason: Self.reason(fields[2]))
    }
    self.jobs = jobs
  }

  subscript(number: Int) -> Job? { jobs[number] }

  /// A state's word, without the flags that may follow it (`CANCELLED by 0`).
  private static func state(_ text: Substring) -> String? {
    let word = text.drop { $0 == " " }.prefix { $0.isASCII && $0.isLetter || $0 == "_" }
    return word.isEmpty ? nil : String(word)
  }

  private static func reason(_ text: Substring) -> String {
    let text = text.drop { $0 == " " }.prefix(200)
    return text == "None" ? "" : String(text)
  }

  private static func stage(of state: String) -> Stage {
    switch state {
    case "PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT": .waiting
    case "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
      "REVOKED", "TIMEOUT":
      .ended
    // CONFIGURING, COMPLETING and others: the job has its node.
    default: .running
    }
  }
}

/// Numbers of jobs.
enum JobNumber {
  /// The number that sbatch prints: `42` or `42;cluster`, on its last line.
  static func parse(sbatch text: String) -> Int? {
    guard let line = text.split(whereSeparator: \.isNewline).last else { return nil }
    return parse(line.prefix { $0 != ";" })
  }

  /// A number of decimal digits, from 1 on.
  static func parse(_ text: Substring) -> Int? {
    let digits = text.drop { $0 == " " }
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let number = Int(digits), number > 0
    else { return nil }
    return number
  }
}

/// How a job ended, by `scontrol --oneliner show job`.
struct JobEnd: Equatable {
  let state: String
  /// The script's exit status, and the signal that ended it or 0.
  let exitStatus: Int
  let signal: Int

  /// The record of this job; nil where the text is none.
  init?(parsing text: String, of number: Int) {
    let lines = text.split(whereSeparator: \.isNewline)
    guard let line = lines.first(where: { $0.hasPrefix("JobId=\(number) ") }) else { return nil }
    var (state, code): (String?, [Int]) = (nil, [])
    // The first of each name counts: the command's path, which comes later, may contain anything.
    for word in line.split(separator: " ") {
      if state == nil, word.hasPrefix("JobState=") { state = String(word.dropFirst("JobState=".count)) }
      if code.isEmpty, word.hasPrefix("ExitCode=") {
        code = word.dropFirst("ExitCode=".count).split(separator: ":").compactMap { Int($0) }
      }
    }
    guard let state, code.count == 2 else { return nil }
    (self.state, exitStatus, signal) = (state, code[0], code[1])
  }

  /// Why no status came back.
  var reason: String {
    if state == "FAILED", exitStatus == JobScript.noFolder {
      return "the node cannot enter the fleet's folder; give an --output that the nodes share"
    }
    let how = signal != 0 ? "signal \(signal)" : "exit status \(exitStatus)"
    return "its job ended in the state \(state), by \(how), and left no status"
  }
}
