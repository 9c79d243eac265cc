// The results that `plot` and `report` take, and what each is called.

import ArgumentParser
import Host
import Measurement
import SystemPackage

/// Results of `bench --json`.
struct ResultArguments: ParsableArguments {
  @Argument(
    help: ArgumentHelp("Results of `bench --json`; - is standard input.", valueName: "result.json"),
    transform: FilePath.argument)
  var results: [FilePath]

  func validate() throws { try Input.check(results) }

  /// The results with their names: each file's name without `.json`, `.json.gz` and so on.
  ///
  /// - Throws: `Failure`: 64 where two have the same name, with the `trouble` that this makes and what to do; 65 and 66
  ///   where one cannot be read.
  func read(trouble: (FilePath, FilePath) -> String, advice: String) throws -> [(name: [UInt8], report: BenchReport)] {
    let names = results.map(Self.name)
    for (index, name) in names.enumerated() {
      guard let other = names.firstIndex(of: name), other != index else { continue }
      throw Failure(
        status: .usage,
        message: "\(trouble(results[other], results[index])): both are called \(FilePath(bytes: name)); \(advice)")
    }
    return try zip(names, results).map { ($0, try BenchReport.read($1)) }
  }

  private static func name(of path: FilePath) -> [UInt8] {
    guard path != "-", let name = path.lastComponent else { return Array("result".utf8) }
    let file = FilePath(root: nil, [name]).bytes
    for ending in [".json", ".json.gz", ".json.xz", ".json.zst"] {
      let count = file.count - ending.utf8.count
      if count > 0, file[count...].elementsEqual(ending.utf8) { return Array(file[..<count]) }
    }
    return file
  }
}
