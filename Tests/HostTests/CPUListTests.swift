import Testing

@testable import Host

@Suite("A list of processors")
struct CPUListTests {
  @Test(
    "is read as the kernel writes it, and what is no processor is left out",
    arguments: [
      ("0", [0]), ("0-1", [0, 1]), ("2,66", [2, 66]), ("0-2,8-9,11", [0, 1, 2, 8, 9, 11]), ("", []), ("x,4", [4]),
      ("3-1,5", [5]), ("0-99999999999,1", [1]), ("-1,1", [1]), ("1-2-3", []), ("-", []), ("0-8192", []),
    ] as [(String, Set<Int>)])
  func lists(text: String, processors: Set<Int>) { #expect(CPUList(text).processors == processors) }

  @Test(
    "says whether all of its text was processors",
    arguments: [("0-3,8", true), ("7", true), ("", false), ("0-3,", false), ("0-3,x", false), ("3-1", false)])
  func whole(text: String, isWhole: Bool) { #expect(CPUList(text).isWhole == isWhole) }

  @Test(
    "is written in words",
    arguments: [([], ""), ([3], "3"), ([3, 1, 2, 0, 8], "0 to 3, 8"), ([0, 2, 4, 5], "0, 2, 4 to 5")])
  func words(processors: [Int], text: String) { #expect("\(CPUList(processors))" == text) }
}
