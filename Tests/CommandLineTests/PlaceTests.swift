// Where a result goes: files, links, devices, pipes and descriptors, as a person names them. What needs root to be
// prepared is in Tests/scripts/file-places.

import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// What `probe --json` says of this host: `contract` makes a result of it at once.
enum ProbeResult {
  static let text = Result {
    let outcome = try Spectrap.run("probe", "--json")
    guard outcome.status == 0 else { throw ChildError(description: "no probe: \(outcome.errors)") }
    return outcome.output
  }
}

@Suite("The place of a result", .needsKVM, .bounded)
struct PlaceTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write(try ProbeResult.text.get(), to: "host.json")
  }

  private var contract: [String] { ["contract", folder["host.json"], "--output"] }
  private static let bench = ["bench", "--workload", "out", "--entry", "none"]

  /// Whether a contract stands in a file, and nothing else.
  private func isContract(_ name: String) -> Bool {
    guard let text = folder.text(of: name), let value = try? JSONValue(parsing: text) else { return false }
    return value["kind"] == .string("contract")
  }

  private func status(_ name: String) throws -> stat {
    var status = stat()
    // Safe: the path is a string, and the structure this call's own.
    try #require(unsafe lstat(folder[name], &status) == 0)
    return status
  }

  @Test("has no name before it is whole: nothing can be put in its way, and nothing is left of it by kill -9")
  func nameless() throws {
    let results = try TemporaryFolder()
    let deadline = ContinuousClock.now + Spectrap.patience
    let child = try Child(
      [Spectrap.path] + Self.bench + ["--time", "600", "--precision", "0.0001", "--json", results["result"]])
    _ = try child.interruptWhenReady(by: deadline, with: 0)
    #expect(results.names.isEmpty)
    child.die()
    _ = try child.outcome(by: deadline)
    #expect(results.names.isEmpty)
  }

  @Test("may have a name of 255 bytes, and not of 256")
  func longName() throws {
    let longest = String(repeating: "n", count: 255)
    let outcome = try Spectrap.run(contract + [folder[longest]])
    #expect(outcome.status == 0 && isContract(longest), "\(outcome.errors)")
    try Spectrap.run(contract + [folder[longest + "n"]]).expectFailure(74, saying: "File name too long")
  }

  @Test("is reached through links, also to what is not there yet; the links stay, and what they lead to is replaced")
  func links() throws {
    try FileManager.default.createDirectory(atPath: folder["below"], withIntermediateDirectories: false)
    try folder.write("old", to: "below/file")
    for (link, target) in [
      ("first", "below/second"), ("below/second", "file"), ("below/new", "../third"), ("loop", "loop"),
    ] {
      #expect(unsafe symlink(target, folder[link]) == 0)
    }
    #expect(try Spectrap.run(contract + [folder["first"]]).status == 0)
    #expect(isContract("below/file") && isContract("first"))
    #expect(try Spectrap.run(contract + [folder["below/new"]]).status == 0)
    #expect(isContract("third"))
    for name in ["first", "below/second", "below/new"] { #expect(try status(name).st_mode & S_IFMT == S_IFLNK) }
    try Spectrap.run(contract + [folder["loop"]]).expectFailure(74, saying: "Too many levels of symbolic links")
    #expect(folder.names == ["below", "first", "host.json", "loop", "third"])
  }

  @Test(
    "that is a descriptor of the program's is written through, behind what stands there",
    arguments: [
      "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/1", "-",
    ])
  func descriptors(name: String) throws {
    let script = "{ echo before; \"$@\"; status=$?; echo after; } >file 2>errors; exit $status"
    let outcome = try folder.run(script, contract + [name])
    #expect(outcome.status == 0, "\(folder.text(of: "errors") ?? "")")
    let lines = try #require(folder.text(of: "file")).split(separator: "\n")
    #expect(lines.first == "before" && lines.last == "after")
    let value = try JSONValue(parsing: lines.dropFirst().dropLast().joined(separator: "\n"))
    #expect(value["kind"] == .string("contract"))
    // The text has gone out of the way.
    #expect(folder.text(of: "errors")?.hasPrefix("What a guest may be told") == true)
  }

  @Test("that is another descriptor, or a pipe, is written to as it is")
  func pipes() throws {
    #expect(try folder.run("\"$@\" 3>third", contract + ["/dev/fd/3"]).status == 0)
    #expect(isContract("third"))
    let piped = try folder.run(
      "mkfifo pipe && { cat pipe >copy & \"$@\"; status=$?; wait; exit $status; }", contract + ["pipe"])
    #expect(piped.status == 0 && isContract("copy"), "\(piped.errors)")
    #expect(try status("pipe").st_mode & S_IFMT == S_IFIFO)
    // What the program has opened itself is nobody's to name.
    for number in [3, 4, 5, 99] {
      let outcome = try folder.run(
        "exec 3>&- 4>&- 5>&-; \"$@\"", Self.bench + ["--time", "600", "--json", "r", "--csv", "/dev/fd/\(number)"])
      outcome.expectFailure(74, saying: "/dev/fd/\(number) cannot be written: No such file or directory")
    }
  }

  @Test("that is - is standard output for `bench` as well, and for one of its results only")
  func standardOutput() throws {
    let outcome = try Spectrap.run(Self.bench + ["--rounds", "1", "--json", "-"])
    #expect(outcome.status == 0)
    #expect(try JSONValue(parsing: outcome.output)["kind"] == .string("bench"))
    #expect(outcome.errors.contains("Cost of"))
    for other in ["-", "/dev/stdout"] {
      try Spectrap.run(Self.bench + ["--json", "-", "--csv", other]).expectUsageError(saying: ["--json", "--csv"])
    }
    try Spectrap.run("plot", folder["host.json"], "--output", "-").expectUsageError(saying: ["name a folder"])
  }

  @Test(
    "that is none, or takes nothing, is found out before anything is measured",
    arguments: [
      ("", 64, "empty path"), ("/dev/full", 74, "No space left"), ("/", 74, "directory"), (".", 74, "directory"),
    ])
  func impossible(path: String, status: Int32, words: String) throws {
    let start = ContinuousClock.now
    for option in ["--json", "--csv", "--samples-csv"] {
      let outcome = try Spectrap.run(Self.bench + ["--time", "600", option, path])
      #expect(outcome.status == status && outcome.errors.contains(words) && outcome.output.isEmpty, "\(outcome.errors)")
    }
    // Far below the time that was asked for, and room for a busy machine.
    #expect(ContinuousClock.now - start < .seconds(60))
  }

  @Test(
    "that is a closed or full standard output is found out before anything is measured, and gives it to no other file")
  func noStandardOutput() throws {
    let start = ContinuousClock.now
    for (redirection, words) in [
      (">&-", "Bad file descriptor"), (">/dev/full", "No space left"), ("1</dev/null", "Bad file"),
    ] {
      let outcome = try folder.run("\"$@\" \(redirection)", Self.bench + ["--time", "600", "--json", "result"])
      outcome.expectFailure(74, saying: "standard output cannot be written", words)
    }
    #expect(ContinuousClock.now - start < .seconds(60))
    #expect(folder.names == ["host.json"])
    #expect(try folder.run("\"$@\" <&- 2>&-", contract + ["result"]).status == 0)
    #expect(isContract("result"), "and nothing that was meant for the descriptors that are closed")
  }

  @Test("keeps its mode where it was there before")
  func mode() throws {
    try folder.write("old", to: "result")
    #expect(unsafe chmod(folder["result"], 0o604) == 0)
    #expect(try Spectrap.run(contract + [folder["result"]]).status == 0)
    #expect(isContract("result"))
    #expect(try status("result").st_mode & 0o777 == 0o604)
  }

  @Test("that is taken away while it is measured does not take the result with it: status 74, and where it is")
  func lost() throws {
    let deadline = ContinuousClock.now + Spectrap.patience
    let child = try Child(
      [Spectrap.path] + Self.bench + ["--time", "600", "--precision", "0.0001", "--json", folder["result"]])
    _ = try child.interruptWhenReady(by: deadline, with: 0)
    #expect(unsafe mkdir(folder["result"], 0o700) == 0)
    kill(child.pid, SIGINT)
    let outcome = try child.outcome(by: deadline)
    outcome.expectFailure(74, saying: "Is a directory", "the result is in \(folder.path)/spectrap-")
    let name = try #require(folder.names.first { $0.hasPrefix("spectrap-") })
    let text = try #require(folder.text(of: name))
    let value = try JSONValue(parsing: text)
    #expect(outcome.errors.contains(name) && value["kind"] == .string("bench"))
  }

  @Test("that nobody reads any more does not take the result with it either, nor the other results")
  func nobodyReads() throws {
    let script = """
      mkfifo pipe other && { sh -c 'exec <pipe' & sh -c 'exec <other' & TMPDIR=\(folder.path) "$@"; }
      """
    let outcome = try folder.run(
      script, Self.bench + ["--rounds", "1", "--json", "pipe", "--csv", "table", "--samples-csv", "other"])
    #expect(outcome.status == 74 && outcome.output.contains("Cost of") && folder.names.contains("table"))
    #expect(folder.names.count { $0.hasPrefix("spectrap-") } == 2)
    for (line, name) in zip(outcome.errorLines, ["pipe", "other"]) {
      #expect(
        line.hasPrefix("spectrap: \(name) cannot be written: Broken pipe; the result is in \(folder.path)/spectrap-"))
    }
    #expect(outcome.errorLines.count == 2)
  }

  @Test("that goes to a pipe which does not wait is written whole, at the pace of its reader")
  func pipeThatDoesNotWait() throws {
    let script = """
      python3 -c 'import fcntl,os,subprocess,sys,time
      end, start = os.pipe()
      fcntl.fcntl(start, 1031, 4096)  # F_SETPIPE_SZ
      os.set_blocking(start, False)
      child = subprocess.Popen(sys.argv[1:], stdout=start)
      os.close(start)
      time.sleep(3)
      text = b"".join(iter(lambda: os.read(end, 4096), b""))
      print(child.wait(), text.rstrip().endswith(b"}"), len(text) > 8192)' "$@"
      """
    let outcome = try folder.run(
      script,
      ["bench", "--rounds", "40", "--spread", "0", "--workload", "out", "--entry", "none", "--json", "-"])
    #expect(outcome.output == "0 True True\n", "\(outcome.output) \(outcome.errors)")
  }

  @Test("that is a pipe into a program that has had enough ends this one without a word, when all else is written")
  func enough() throws {
    let script = "{ \"$@\"; echo $? >status; } | sh -c 'exec <&-'"
    let outcome = try folder.run(script, Self.bench + ["--rounds", "1", "--json", "result"])
    #expect(outcome.errors.isEmpty && folder.text(of: "status") == "\(128 + SIGPIPE)\n")
    #expect(folder.text(of: "result")?.isEmpty == false)
  }

  @Test("that a limit makes too small is an error like any other: status 74")
  func limit() throws {
    let outcome = try folder.run("ulimit -f 1; \"$@\" >list", ["list", "--kvm", "/nonexistent"])
    outcome.expectFailure(74, saying: "standard output cannot be written", "File too large")
    try folder.run("ulimit -f 1; \"$@\" >list", contract + ["result"]).expectFailure(74, saying: "File too large")
    #expect(folder.names == ["host.json", "list"])
  }

  @Test("need not be UTF-8: every byte of its name is kept, and of those that differ in such bytes none is the other")
  func bytes() throws {
    // Not UTF-8; the character that stands for what is not; cut off in the middle of a character.
    let script = #"""
      cp host.json "$(printf 'in\377')" && cp host.json "$(printf 'out\376')" && echo none >"$(printf 'in\376')" &&
      "$@" "$(printf 'in\377')" --output "$(printf 'out\377\357\277\275\303')" >/dev/null && rm host.json in* &&
      test -s "$(printf 'out\377\357\277\275\303')" && mv "$(printf 'out\377\357\277\275\303')" result && rm out*
      """#
    let outcome = try folder.run(script, ["contract"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(folder.names == ["result"] && isContract("result"))
  }

  private static let hasPython =
    (try? Child(["python3", "-c", ""]).outcome(by: .now + Spectrap.patience).status) == 0

  @Test(
    "of a picture gets what the renderer makes of the chart, and nothing where that fails",
    .enabled(if: Self.hasPython, "needs Python"))
  func pictures() throws {
    try folder.write(try BenchResult.shared.get().text, to: "a.json")
    // A stand-in that pipes have no room for at once.
    try folder.write(
      """
      def vegalite_to_svg(text): return text.split('"')[1] + "s" * 1000000
      def vegalite_to_png(text, scale): return bytes([255, scale]) * 1000000 if not broken else 1 / 0
      broken = False
      """, to: "vl_convert.py")
    let outcome = try folder.run("PYTHONPATH=. \"$@\"", ["plot", "a.json", "--output", "charts"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let svg = try #require(folder.text(of: "charts/a-exit-latency.svg"))
    #expect(svg.hasPrefix("$schema") && svg.utf8.count == 1_000_007)
    let png = try Data(contentsOf: URL(filePath: folder["charts/a-exit-latency.png"]))
    #expect(png.count == 2_000_000 && png.prefix(2) == Data([255, 2]))

    let broken = try folder.run(
      "sed -i s/False/True/ vl_convert.py && PYTHONPATH=. \"$@\"", ["plot", "a.json", "--output", "others"])
    #expect(broken.status == 70 && broken.errors.contains("vl-convert failed to make png"), "\(broken.errors)")
    #expect(folder.names(in: "others").allSatisfy { !$0.hasSuffix(".png") })
  }

  @Test("of a socket need not be UTF-8 either, wherever it is named", .bounded)
  func socket() throws {
    let script = #"""
      name=$(printf 'there\377'); spectrap=$1
      "$spectrap" run ibrs --iterations 50000 --snapshot-at 40 guest >/dev/null || exit 1
      "$spectrap" receive "unix:$name" --json >received & 
      for try in $(seq 1000); do test -S "$name" && break; sleep 0.05; done
      test -S "$name" && "$spectrap" migrate --from guest --to "unix:$name" --down-time 60000 && wait
      """#
    let outcome = try folder.run(script, [])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let received = try JSONValue(parsing: try #require(folder.text(of: "received")))
    #expect(received["exits.byReason.writeMSR"]?.count == 100_000)
    #expect(folder.names == ["guest", "host.json", "received"])
  }

  @Test("is told with all its bytes by `plot`, which follows no link for its charts either")
  func plot() throws {
    try folder.write(try BenchResult.shared.get().text, to: "a.json")
    try folder.write("old", to: "victim")
    let script = #"""
      name=$(printf 'b\377') && mv a.json "$name.json" && mkdir charts && ln -s ../victim "charts/$name-exit-latency.vl.json" &&
      PATH=/nonexistent "$@" "$name.json" --output charts >told && while read -r chart; do test -s "$chart" || exit 1; done <told
      """#
    let outcome = try folder.run(script, ["plot"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    // A person has put the link there, so it is followed as any other.
    #expect(folder.text(of: "victim")?.contains("vega-lite") == true)
  }
}
