// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "training",
  dependencies: [.package(name: "gpt2-cpu", path: "../..")],
  targets: [
    .executableTarget(
      name: "training",
      dependencies: [.product(name: "GPT2", package: "gpt2-cpu")])
  ]
)
