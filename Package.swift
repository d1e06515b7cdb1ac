// swift-tools-version: 6.2
import PackageDescription

let safe: [SwiftSetting] = [.swiftLanguageMode(.v6), .strictMemorySafety()]

let package = Package(
  name: "gpt2-cpu",
  products: [
    .library(name: "GPT2", targets: ["GPT2", "Tokens", "JSON", "Operators", "Machine"]),
    .executable(name: "gpt2", targets: ["Command"]),
    .executable(name: "gpt2-bench", targets: ["GPT2Bench"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-numerics", exact: "1.1.1"),
    // swift package generate-documentation --target GPT2; nothing is built with it.
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", exact: "1.5.0"),
  ],
  targets: [
    .target(name: "CKernels", exclude: ["templates", "vector"]),
    .target(name: "CLinux", linkerSettings: [.linkedLibrary("numa")]),
    .target(name: "Machine", dependencies: ["CLinux"], swiftSettings: safe),
    .target(name: "Operators", dependencies: ["CKernels", "Machine"], swiftSettings: safe),
    .target(
      name: "Reference",
      dependencies: [.product(name: "RealModule", package: "swift-numerics")],
      swiftSettings: safe),
    .target(name: "JSON", dependencies: ["Machine"], swiftSettings: safe),
    .target(name: "Tokens", dependencies: ["JSON", "Machine"], swiftSettings: safe),
    .target(
      name: "GPT2", dependencies: ["Tokens", "JSON", "Operators", "Machine"], swiftSettings: safe),
    .target(
      name: "Terminal",
      dependencies: [
        "GPT2", "JSON", "Operators", "Machine",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      // What both programs' pages share; in the programs themselves, which so stay one file.
      resources: [.embedInCode("Page/Files")],
      swiftSettings: safe),
    .executableTarget(
      name: "Command",
      dependencies: [
        "Terminal", "GPT2", "Tokens", "JSON", "Operators", "Machine", "Reference",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      resources: [.embedInCode("Report/Page")],
      swiftSettings: safe),
    .executableTarget(
      name: "GPT2Bench",
      dependencies: [
        "Terminal", "GPT2", "Tokens", "JSON", "Operators", "Machine", "Reference",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Benchmarks/GPT2Bench", resources: [.embedInCode("Page/Files")], swiftSettings: safe),
    .target(
      name: "TestSupport",
      dependencies: [
        "Machine", "Operators", "GPT2", "Reference", "AMXEmulator",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      path: "Tests/TestSupport", swiftSettings: safe),
    .target(name: "AMXEmulator", path: "Tests/AMXEmulator"),
    .executableTarget(
      name: "Fuzz",
      dependencies: [
        "GPT2", "Tokens", "Operators", "Machine",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tests/Fuzz", exclude: ["Corpus"], swiftSettings: safe),
    .testTarget(name: "MachineTests", dependencies: ["Machine", "TestSupport"], swiftSettings: safe),
    .testTarget(
      name: "OperatorsTests",
      dependencies: [
        "Operators", "Machine", "Reference", "TestSupport", "AMXEmulator",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: safe),
    .testTarget(name: "ReferenceTests", dependencies: ["Reference", "TestSupport"], swiftSettings: safe),
    .testTarget(name: "JSONTests", dependencies: ["JSON", "Machine", "TestSupport"], swiftSettings: safe),
    .testTarget(
      name: "TokensTests", dependencies: ["Tokens", "Machine", "TestSupport"], swiftSettings: safe),
    .testTarget(
      name: "GPT2Tests",
      dependencies: ["GPT2", "Tokens", "Operators", "Machine", "Reference", "TestSupport"],
      swiftSettings: safe),
    .testTarget(
      name: "TerminalTests",
      dependencies: [
        "Terminal", "GPT2", "Operators", "TestSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: safe),
    .testTarget(
      name: "CommandTests", dependencies: ["TestSupport", "Command"], swiftSettings: safe),
  ]
)
