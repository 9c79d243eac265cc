import ArgumentParser

@main
struct Spectrap: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Measures what each SPEC_CTRL policy costs on this host.")
}
