public import Testing

extension Trait where Self == TimeLimitTrait {
  /// Ends a test that hangs.
  ///
  /// A test's time includes its wait for a thread: on two processors, all tests wait for one another, so a
  /// limit must be longer than the whole run.
  public static var bounded: Self { .timeLimit(.minutes(20)) }
}
