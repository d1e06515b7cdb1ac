import ArgumentParser
import Foundation
import GPT2
import Machine
import Operators

/// Where a model runs: threads, instruction set, memory placement. The same for every subcommand.
struct ExecutionOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: "How many threads work. Results do not depend on it. (default: one a physical core at hand)")
  var threads: Int?

  @Option(
    parsing: .unconditional,
    help: """
      The instruction set of the kernels: auto, portable, avx2 or avx512. Results do not depend on it. \
      (default: the environment variable GPT2_ISA, else auto)
      """)
  var isa: String?

  @Option(
    parsing: .unconditional,
    help: "Which NUMA nodes hold the memory: auto, local, interleaved or split.")
  var numa = "auto"

  static let mostThreads = 4096

  func validate() throws {
    if let threads, !(1...Self.mostThreads).contains(threads) {
      throw ValidationError("--threads should be in 1...\(Self.mostThreads), but is \(threads)")
    }
    _ = try instructionSet()
    _ = try placement()
  }

  func instructionSet() throws -> InstructionSet {
    let variable = InstructionSet.environmentVariable
    let environment = ProcessInfo.processInfo.environment[variable].flatMap { $0.isEmpty ? nil : $0 }
    let (source, name) = isa.map { ("--isa", $0) } ?? (variable, environment ?? "auto")
    do { return try InstructionSet(named: name) } catch { throw ValidationError("\(source): \(error)") }
  }

  func placement() throws -> Placement {
    if numa == "auto" { return .automatic }
    let names = ["auto"] + Placement.allCases.filter { $0 != .automatic }.map(\.rawValue)
    guard names.contains(numa), let placement = Placement(rawValue: numa) else {
      throw ValidationError("--numa should be one of \(names.joined(separator: ", ")), but is '\(numa)'")
    }
    return placement
  }

  func context() throws -> ExecutionContext {
    try ExecutionContext(
      threads: threads ?? Topology.current.defaultThreads, instructionSet: try instructionSet())
  }

  /// "AMD EPYC 9654, 2 threads, avx512".
  static func summary(_ context: ExecutionContext) -> String {
    let threads = NumberText.count(context.threads, "thread")
    return "\(Topology.current.modelName), \(threads), \(context.instructionSet.rawValue)"
  }
}

extension Activation: ExpressibleByArgument {}
extension Recomputation: ExpressibleByArgument {}
