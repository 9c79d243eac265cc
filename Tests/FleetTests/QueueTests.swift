// What Slurm's programs print is read as it is meant, and whatever else stands there is passed over.

import Testing

@testable import Fleet

@Suite("The answer of a program of Slurm")
struct QueueTests {
  @Test("of squeue has each job's state, and why it waits")
  func table() throws {
    let queue = Queue(
      parsing: """
        7|RUNNING|None
        8|PENDING|ReqNodeNotAvail, UnavailableNodes:node4
        9|COMPLETING|None
        10|NODE_FAIL|NodeFail
        11|PENDING|a reason | with a bar

        """)
    #expect(queue[7] == Queue.Job(stage: .running, state: "RUNNING", reason: ""))
    #expect(
      queue[8] == Queue.Job(stage: .waiting, state: "PENDING", reason: "ReqNodeNotAvail, UnavailableNodes:node4"))
    #expect(queue[9]?.stage == .running)
    #expect(queue[10] == Queue.Job(stage: .ended, state: "NODE_FAIL", reason: "NodeFail"))
    #expect(queue[11]?.reason == "a reason | with a bar")
    #expect(queue[12] == nil)
  }

  @Test(
    "of squeue with lines that are no jobs has those that are",
    arguments: [
      "slurm_load_jobs error: Socket timed out", "7|", "|RUNNING|None", "-7|RUNNING|None", "7_1|RUNNING|None",
      "99999999999999999999|RUNNING|None", "7||None", "7|42|None", "\u{0}|\u{1b}[2J|x", "٧|RUNNING|None",
    ])
  func hostileTable(line: String) {
    let queue = Queue(parsing: "\(line)\n8|TIMEOUT|TimeLimit\n\(line)")
    #expect(queue == Queue(parsing: "8|TIMEOUT|TimeLimit"))
    #expect(queue[7] == nil)
    #expect(queue[8]?.stage == .ended)
  }

  @Test("of squeue with a state that is not known has a job that goes on, so that it is followed to its time limit")
  func newState() { #expect(Queue(parsing: "7|SOMETHING_NEW|None")[7]?.stage == .running) }

  @Test("of squeue has no reason longer than a line")
  func longReason() {
    #expect(Queue(parsing: "7|PENDING|" + String(repeating: "x", count: 100_000))[7]?.reason.count == 200)
  }

  @Test("of sbatch has a number on its last line", arguments: ["42\n", "42;cluster\n", "a site's greeting\n42\n"])
  func number(text: String) { #expect(JobNumber.parse(sbatch: text) == 42) }

  @Test(
    "of sbatch without a number has none", arguments: ["", "\n", "Submitted batch job", "0", "-1", "4 2", "0x2a", ";1"])
  func noNumber(text: String) { #expect(JobNumber.parse(sbatch: text) == nil) }

  private static let record =
    "JobId=7 JobName=spectrap-fleet UserId=root(0) JobState=NODE_FAIL Reason=NodeFail Requeue=0 ExitCode=0:9 "
    + "Command=(null) WorkDir=/x JobState=COMPLETED ExitCode=0:0 \n"

  @Test("of scontrol has how a job ended; what a path says later counts for nothing")
  func end() throws {
    let end = try #require(JobEnd(parsing: Self.record, of: 7))
    #expect(end.state == "NODE_FAIL")
    #expect(end.reason == "its job ended in the state NODE_FAIL, by signal 9, and left no status")
  }

  @Test("of scontrol about a node without the fleet's folder says what to do")
  func noFolder() throws {
    let end = try #require(JobEnd(parsing: "JobId=7 JobState=FAILED ExitCode=66:0 \n", of: 7))
    #expect(end.reason.contains("--output that the nodes share"))
  }

  @Test(
    "of scontrol about another job, or in another form, is none",
    arguments: [
      "", "slurm_load_jobs error: Invalid job id specified\n", "JobId=77 JobState=FAILED ExitCode=1:0 \n",
      "JobId=7 JobState=FAILED \n", "JobId=7 ExitCode=1:0 \n", "JobId=7 JobState=FAILED ExitCode=1 \n",
      "JobId=7 JobState=FAILED ExitCode=x:y \n",
    ])
  func noEnd(text: String) { #expect(JobEnd(parsing: text, of: 7) == nil) }
}
