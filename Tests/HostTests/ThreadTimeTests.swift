// What a thread has had of its processor.

import Glibc
import Testing

@testable import Host

@Suite("A thread's time")
struct ThreadTimeTests {
  @Test("grows while it runs, and not while it waits")
  func grows() {
    let start = ThreadTime.now()
    while ThreadTime.now().running - start.running < .milliseconds(20) {}
    let busy = ThreadTime.now()
    #expect(busy.elapsed - start.elapsed >= .milliseconds(20))
    usleep(50_000)
    let later = ThreadTime.now()
    #expect(later.elapsed - busy.elapsed >= .milliseconds(50))
    #expect(later.running - busy.running < later.elapsed - busy.elapsed)
    #expect(later.preemptions >= busy.preemptions && busy.preemptions >= start.preemptions)
  }
}
