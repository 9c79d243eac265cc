// The settings to change before measuring, as a person reads them.

public import Host

extension [MeasuringAdvice] {
  /// The advice with its commands; one sentence where there is none.
  public var document: Document {
    guard !isEmpty else {
      return Document([.init([.paragraph("This host has nothing to set before measuring.")])])
    }
    return Document(
      [.init([.paragraph("Before measuring on this host; nothing has been changed:")])]
        + map { advice in
          .init([.facts([.init(advice.what, advice.reason)])] + (advice.command.map { [.command($0)] } ?? []))
        })
  }
}
