// The machines that run at a time: one for each processor. More of them would all be slow, and the time limit of each
// counts while it waits for a processor.

import Glibc
import Testing

/// Lets so many callers in at a time; the others wait, long ones before short ones, so that no long one is left alone
/// at the end.
actor Turns {
  /// The turns of the lab's machines.
  static let machines = Turns(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))

  private var free: Int
  private var waiting: (long: [CheckedContinuation<Void, Never>], short: [CheckedContinuation<Void, Never>]) = ([], [])

  init(_ count: Int) { free = count }

  /// Does something when it is its turn.
  func take<Value: Sendable>(isLong: Bool, _ work: @Sendable () async throws -> Value) async rethrows -> Value {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { if isLong { waiting.long.append($0) } else { waiting.short.append($0) } }
    }
    defer { handOver() }
    return try await work()
  }

  /// Gives the turn to the next, so that nobody else takes it meanwhile.
  private func handOver() {
    if !waiting.long.isEmpty {
      waiting.long.removeFirst().resume()
    } else if !waiting.short.isEmpty {
      waiting.short.removeFirst().resume()
    } else {
      free += 1
    }
  }
}

extension Trait where Self == TimeLimitTrait {
  /// A time limit for tests that ask about machines.
  ///
  /// They wait until these had their turn, behind all others. Each machine has a limit of its own, which does not count
  /// that time.
  static var boundedByMachines: Self { .timeLimit(.minutes(90)) }
}
