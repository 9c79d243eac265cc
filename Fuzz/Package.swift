// swift-tools-version: 6.3
// Hostile bytes for what reads files and sockets, by libFuzzer: scripts/fuzz. A package of its own, because its
// programs are linked with a main function that is not theirs.
import PackageDescription

let settings: [SwiftSetting] = [
  .strictMemorySafety(), .enableExperimentalFeature("Lifetimes"), .enableExperimentalFeature("Extern"),
  .enableUpcomingFeature("MemberImportVisibility"),
  // libFuzzer has the main function.
  .unsafeFlags(["-parse-as-library"]),
]
let fuzzed: [Target.Dependency] = ["Migration", "Experiments", "Hypervisor", "GuestImages", "Measurement", "Rendering"]
  .map {
    .product(name: $0, package: "spectrap")
  }

let package = Package(
  name: "Fuzz",
  dependencies: [.package(name: "spectrap", path: "..")],
  targets: [
    .target(name: "Mutation", swiftSettings: settings),
    .executableTarget(name: "FuzzSnapshot", dependencies: fuzzed + ["Mutation"], swiftSettings: settings),
    .executableTarget(
      name: "FuzzImage",
      dependencies: [
        .product(name: "GuestImages", package: "spectrap"), .product(name: "Images", package: "spectrap"),
      ], swiftSettings: settings),
    .executableTarget(name: "FuzzTransfer", dependencies: fuzzed + ["Mutation"], swiftSettings: settings),
  ]
)
