// swift-tools-version: 6.3
import PackageDescription

let strict: [SwiftSetting] = [
  .strictMemorySafety(),
  .enableExperimentalFeature("Lifetimes"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "spectrap",
  products: [
    .library(name: "Registers", targets: ["Registers"]),
    .library(name: "Host", targets: ["Host"]),
    .library(name: "Hypervisor", targets: ["Hypervisor"]),
    .library(name: "GuestImages", targets: ["GuestImages"]),
    .library(name: "Measurement", targets: ["Measurement"]),
    .library(name: "Migration", targets: ["Migration"]),
    .library(name: "Experiments", targets: ["Experiments"]),
    .library(name: "Images", targets: ["Images"]),
    .library(name: "Boot", targets: ["Boot"]),
    .library(name: "Rendering", targets: ["Rendering"]),
    .executable(name: "spectrap", targets: ["spectrap"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
  ],
  // A target that imports Hypervisor names Host and Registers, too, which it re-exports: SwiftPM compiles a target anew
  // when a module that it names has changed, and no other.
  targets: [
    .systemLibrary(name: "CKVM", providers: [.apt(["linux-libc-dev"])]),
    .systemLibrary(name: "CHost", providers: [.apt(["linux-libc-dev"])]),
    .target(name: "Registers", swiftSettings: strict),
    .target(
      name: "Host",
      dependencies: ["CHost", "Registers", .product(name: "SystemPackage", package: "swift-system")],
      swiftSettings: strict),
    .target(
      name: "Hypervisor",
      dependencies: ["CHost", "CKVM", "Registers", "Host", .product(name: "SystemPackage", package: "swift-system")],
      swiftSettings: strict),
    .target(name: "GuestImages", dependencies: ["Registers"], swiftSettings: strict),
    .target(
      name: "Measurement",
      dependencies: ["Registers", .product(name: "Histogram", package: "hdrhistogram-swift")],
      swiftSettings: strict),
    .target(
      name: "Migration",
      dependencies: [
        "CHost", "CKVM", "Host", "Registers", "Hypervisor", .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    .target(
      name: "Sandbox",
      dependencies: ["CHost", "CKVM", .product(name: "SystemPackage", package: "swift-system")],
      swiftSettings: strict),
    .target(
      name: "Experiments",
      dependencies: ["CKVM", "Host", "Registers", "Hypervisor", "GuestImages", "Measurement", "Migration"],
      swiftSettings: strict),
    .target(
      name: "Fleet",
      dependencies: [
        "Measurement", .product(name: "Subprocess", package: "swift-subprocess"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    .target(name: "Images", dependencies: ["Registers", "GuestImages"], swiftSettings: strict),
    .target(name: "Devices", swiftSettings: strict),
    .target(
      name: "Boot",
      dependencies: [
        "CKVM", "Devices", "Experiments", "Host", "Registers", "Hypervisor", "GuestImages", "Images", "Measurement",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    // JSON as a value, for charts and for tests of every result.
    .target(name: "JSONValues", swiftSettings: strict),
    .target(
      name: "Rendering",
      dependencies: [
        "JSONValues", "Host", "Registers", "Hypervisor", "GuestImages", "Measurement", "Migration", "Experiments",
        "Boot",
      ],
      swiftSettings: strict),
    // C, for it runs before the Swift runtime starts.
    .target(name: "CProgram"),
    .executableTarget(
      name: "spectrap",
      dependencies: [
        "Boot", "CHost", "CProgram", "Experiments", "Fleet", "Host", "Registers", "Hypervisor", "GuestImages", "Images",
        "Measurement", "Migration", "Rendering", "Sandbox",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "CountExits",
      dependencies: ["Experiments", "Host", "Registers", "Hypervisor", "GuestImages"],
      path: "Examples/CountExits",
      swiftSettings: strict),
    // What the overview pages of the libraries show.
    .target(
      name: "OverviewExamples",
      dependencies: [
        "Registers", "Host", "Hypervisor", "GuestImages", "Measurement", "Migration", "Experiments", "Rendering",
        "Images", "Boot",
      ],
      path: "Examples/Overview",
      swiftSettings: strict),
    .executableTarget(
      name: "ExitLoop",
      dependencies: [
        "Host", "Registers", "Hypervisor", "GuestImages", .product(name: "SystemPackage", package: "swift-system"),
      ],
      path: "Benchmarks/ExitLoop",
      swiftSettings: strict),
    .executableTarget(
      name: "AdaptiveCost",
      dependencies: ["Experiments", "Host", "Registers", "Hypervisor", "GuestImages"],
      path: "Benchmarks/AdaptiveCost",
      swiftSettings: strict),
    .executableTarget(
      name: "GuestDump",
      dependencies: [
        "CKVM", "Experiments", "Host", "Registers", "Hypervisor", "GuestImages",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      path: "Benchmarks/GuestDump",
      swiftSettings: strict),
    // A property that is tested here and, as a program, on the lab's hosts.
    .executableTarget(
      name: "HandOver", dependencies: ["Host", "Registers", "Hypervisor", "GuestImages", "Measurement"],
      path: "Tests/HandOver",
      swiftSettings: strict),
    // Tries what a sandbox forbids: the test reads how it ends.
    .executableTarget(
      name: "SandboxProbe",
      dependencies: ["CHost", "CKVM", "Sandbox", .product(name: "SystemPackage", package: "swift-system")],
      path: "Tests/SandboxProbe", swiftSettings: strict),
    .target(
      name: "TestSupport",
      dependencies: ["GuestImages", "Host", "JSONValues", .product(name: "SystemPackage", package: "swift-system")],
      path: "Tests/TestSupport", swiftSettings: strict),
    .testTarget(
      name: "GuestImagesTests", dependencies: ["GuestImages", "Measurement", "Registers", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "ImagesTests", dependencies: ["GuestImages", "Images", "Measurement", "Registers", "TestSupport"],
      exclude: ["Corpus"], swiftSettings: strict),
    .testTarget(name: "DevicesTests", dependencies: ["Devices"], swiftSettings: strict),
    .testTarget(
      name: "BootTests",
      dependencies: [
        "Boot", "Devices", "Experiments", "GuestImages", "Host", "Registers", "Hypervisor", "Images", "TestSupport",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    .testTarget(name: "RegistersTests", dependencies: ["Registers", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "HostTests",
      dependencies: ["Host", "Registers", "TestSupport", .product(name: "SystemPackage", package: "swift-system")],
      swiftSettings: strict),
    .testTarget(
      name: "HypervisorTests",
      dependencies: [
        "Host", "Registers", "Hypervisor", "Measurement", "CKVM", "TestSupport",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "MigrationTests",
      dependencies: [
        "Host", "Migration", "Experiments", "Measurement", "Registers", "Hypervisor", "Rendering", "TestSupport",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      exclude: ["Corpus", "Fixtures"], swiftSettings: strict),
    .testTarget(
      name: "MeasurementTests",
      dependencies: ["JSONValues", "Measurement", "Registers", "Rendering", "TestSupport"],
      exclude: ["Fixtures"], swiftSettings: strict),
    .testTarget(
      name: "RenderingTests",
      dependencies: [
        "Experiments", "GuestImages", "Host", "Registers", "Hypervisor", "Measurement", "Migration", "Rendering",
        "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ExperimentsTests",
      dependencies: [
        "Experiments", "Host", "Registers", "Hypervisor", "GuestImages", "Measurement", "TestSupport",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    // Depends on the programs so that they are built; the tests run them as a person does.
    .testTarget(
      name: "CommandLineTests",
      dependencies: [
        "spectrap", "CountExits", "SandboxProbe", "Experiments", "GuestImages", "Host", "Registers", "Hypervisor",
        "Migration", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "DocumentationTests",
      dependencies: [
        "GuestImages", "Hypervisor", "Host", "Registers", "Measurement", "OverviewExamples", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "SandboxTests",
      dependencies: ["Sandbox", "CHost", "CKVM"],
      swiftSettings: strict),
    .testTarget(name: "FleetTests", dependencies: ["Fleet", "Measurement", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "LabTests", dependencies: ["Boot", "Measurement", "Registers"], swiftSettings: strict),
    .testTarget(
      name: "IntegrationTests",
      dependencies: [
        "CHost", "CKVM", "Experiments", "HandOver", "Host", "Registers", "Hypervisor", "GuestImages", "Measurement",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
  ]
)
