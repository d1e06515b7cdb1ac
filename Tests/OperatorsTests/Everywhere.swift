import Machine
import Operators
import TestSupport
import Testing

/// The outputs of one run by name.
typealias Outputs = [String: [Float]]

/// One instruction set and number of threads, with operands against inaccessible pages.
struct Place {
  let context: ExecutionContext
  let edge: GuardEdge

  /// A tensor of its own with these values.
  func input(_ values: [Float]) throws -> Tensor {
    let tensor = try Arena.guardedTensor(shape: [values.count], name: "input", edge: edge)
    tensor.copy(from: values)
    return tensor
  }

  /// A tensor of its own that holds NaN, so that an operator that reads what it should overwrite shows it.
  func output(_ count: Int) throws -> Tensor {
    let tensor = try Arena.guardedTensor(shape: [count], name: "output", edge: edge)
    tensor.fill(.nan)
    return tensor
  }
}

/// Runs `body` with every available instruction set on 1, 2 and 3 threads and expects the same bits of all of them.
///
/// Before each run all scratch holds NaN. An even number of threads has its operands right after an inaccessible
/// page, an odd one right before it.
///
/// - Returns: each instruction set's outputs, to be compared with the reference.
func everywhere(
  sequenceLength: Int = 1, sharedCount: Int = 1, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: (Place) throws -> Outputs
) throws -> [(set: InstructionSet, outputs: Outputs)] {
  var results: [(set: InstructionSet, outputs: Outputs)] = []
  for set in InstructionSet.available {
    for threads in 1...3 {
      let context = try ExecutionContext(threads: threads, instructionSet: set)
      try context.reserve(sequenceLength: sequenceLength, sharedCount: sharedCount)
      for worker in 0..<threads { context.scratch(worker).fill(.nan) }
      context.shared(0..<sharedCount).fill(.nan)
      let outputs = try body(Place(context: context, edge: threads % 2 == 0 ? .start : .end))
      for (name, expected) in results.first?.outputs ?? [:] {
        let difference = firstDifferentBits(try #require(outputs[name]), expected)
        #expect(
          difference == nil, "\(name) on \(set) with \(threads) threads", sourceLocation: sourceLocation)
      }
      if threads == 1 { results.append((set, outputs)) }
    }
  }
  return results
}

/// Expects every element within its own bound.
func expect(
  _ actual: [Float]?, near expected: [Double], within bounds: [Double], _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let excess = worstExcess(actual ?? [], expected, bounds: bounds)
  #expect(excess == nil, "\(what)", sourceLocation: sourceLocation)
}

/// Expects the same bits.
func expect(
  _ actual: [Float]?, equals expected: [Float], _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let difference = firstDifferentBits(actual ?? [], expected)
  #expect(difference == nil, "\(what)", sourceLocation: sourceLocation)
}
