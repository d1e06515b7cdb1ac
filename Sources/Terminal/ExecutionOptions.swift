import ArgumentParser
import Foundation
import GPT2
import Machine
import Operators

/// How many threads work.
package struct ThreadOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How many threads work. What is computed does not depend on it. (default: one a physical core at hand)",
      valueName: "n"))
  package var threads: Int?

  private static let most = 4096

  package init() {}

  package func validate() throws {
    if let threads, !(1...Self.most).contains(threads) {
      throw ValidationError("--threads should be in 1...\(Self.most), but is \(threads)")
    }
  }

  package var count: Int { threads ?? Topology.current.defaultThreads }
}

/// What operators run on: threads and an instruction set.
package struct KernelOptions: ParsableArguments {
  @OptionGroup package var threads: ThreadOptions

  @Option(
    parsing: .unconditional,
    help: """
      The instruction set of the kernels: auto, \(InstructionSet.allCases.map(\.rawValue).joined(separator: ", ")). \
      What is computed does not depend on it. (default: the environment variable GPT2_ISA, else auto)
      """)
  package var isa: String?

  package init() {}

  package func validate() throws { _ = try instructionSet() }

  package func instructionSet() throws -> InstructionSet {
    let variable = InstructionSet.environmentVariable
    let environment = ProcessInfo.processInfo.environment[variable].flatMap { $0.isEmpty ? nil : $0 }
    let (source, name) = isa.map { ("--isa", $0) } ?? (variable, environment ?? "auto")
    do { return try InstructionSet(named: name) } catch { throw ValidationError("\(source): \(error)") }
  }

  package func context() throws -> ExecutionContext {
    let context = try ExecutionContext(threads: threads.count, instructionSet: try instructionSet())
    if let notice = context.parallel.slots.notice { Console.printWarning(notice) }
    return context
  }
}

/// Where a model runs: threads, instruction set, memory placement. The same for every subcommand.
package struct ExecutionOptions: ParsableArguments {
  @OptionGroup package var kernels: KernelOptions

  @Option(
    parsing: .unconditional,
    help: """
      Which NUMA nodes hold the memory: auto, local (whoever touches a page first), interleaved (pages go round), or \
      split (each node has the part of every tensor that its threads use first). auto is split where threads are tied \
      to processors of several nodes: as many as cores, or more, with a processor each; else interleaved.
      """)
  package var numa = "auto"

  package init() {}

  package func validate() throws { _ = try placement() }

  package func placement() throws -> Placement {
    if numa == "auto" { return .automatic }
    let names = Placement.allCases.map(Self.name)
    guard names.contains(numa), let placement = Placement(rawValue: numa) else {
      throw ValidationError("--numa should be one of \(names.joined(separator: ", ")), but is '\(numa)'")
    }
    return placement
  }

  package func context() throws -> ExecutionContext { try kernels.context() }

  /// What --numa calls it.
  package static func name(of placement: Placement) -> String {
    placement == .automatic ? "auto" : placement.rawValue
  }

  /// "AMD EPYC 9654, 2 threads, avx512", "…, 128 threads in 16 domains of 2 nodes, avx512".
  package static func summary(_ context: ExecutionContext) -> String {
    let domains = context.parallel.slots.domains
    var threads = NumberText.count(context.threads, "thread")
    if domains.count > 1 {
      threads +=
        " in \(domains.count) domains of \(NumberText.count(Set(domains.map(\.node)).count, "node"))"
    }
    return "\(Topology.current.modelName), \(threads), \(context.instructionSet.rawValue)"
  }

  /// "bf16 (avx512_bf16)", or that the processor's multiply-adds do it; and that a machine has AMX.
  package static func summary(
    _ precision: OperandPrecision, _ context: ExecutionContext, features: ProcessorFeatures = .current
  ) -> String {
    let (name, kernels) = (precision.rawValue, context.kernels)
    func emulated(_ reason: String) -> String {
      "\(name), emulated: \(reason), and fp32 is faster; the bits are the same"
    }
    switch precision.pairedOrder {
    case nil: return name
    case .pairs:
      let hint =
        features.isSuperset(of: MatrixUnit.amx.requiredFeatures)
        ? "; this machine has AMX: \(OperandPrecision.bf16AMX.rawValue), with sums of its own, should be faster"
        : ""
      if let unit = kernels.matrixUnit { return "\(name) (\(unit.rawValue))\(hint)" }
      return emulated("\(context.instructionSet.rawValue) has no unit for it here") + hint
    case .tiles:
      if case .emulated(let reason) = kernels.tileUnit { return emulated(reason) }
      return "\(name) (amx)"
    }
  }
}

extension Activation: ExpressibleByArgument {}
extension Recomputation: ExpressibleByArgument {}
extension OperandPrecision: ExpressibleByArgument {}
