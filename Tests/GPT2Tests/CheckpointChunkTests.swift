import Foundation
import GPT2
import Machine
import Operators
import TestSupport
import Testing

/// A model whose matrices are written in several chunks, each rounded and transposed in many tasks.
@Suite struct CheckpointChunkTests {
  private static let precisions = [Precision.float32, .bfloat16, .float16]
  private let directory: ScratchDirectory
  private let parameters: ParameterTensors

  init() throws {
    directory = try ScratchDirectory()
    // Both matrices of the feed-forward block have 1,081,600 numbers, more than the 2²⁰ of a chunk.
    parameters = try ParameterTensors(
      Configuration(
        maximumSequenceLength: 5, vocabularySize: 131, paddedVocabularySize: 256, layers: 1, heads: 4,
        channels: 520))
    var random = TestRandom(seed: 45)
    for tensor in parameters.tensors {
      let padding = tensor.name == "wte" ? (256 - 131) * 520 : 0
      // About the smallest normal float16, where subnormal ones begin.
      let numbers: [Float] = random.normal(tensor.count - padding, deviation: 0x1p-14)
      tensor.copy(from: numbers + [Float](repeating: 0, count: padding))
    }
  }

  /// The tensors' numbers one after another, as each format has them, by its definition.
  private func numbers(huggingFace: Bool) -> [Float] {
    var numbers: [Float] = []
    for tensor in parameters.tensors {
      let values = tensor.array()
      if huggingFace, ["qkvw", "attprojw", "fcw", "fcprojw"].contains(tensor.name) {
        let inputs = tensor.name == "fcprojw" ? 4 * 520 : 520
        let outputs = values.count / inputs
        for input in 0..<inputs {
          for output in 0..<outputs { numbers.append(values[output * inputs + input]) }
        }
      } else {
        numbers += huggingFace && tensor.name == "wte" ? values.prefix(131 * 520) : values[...]
      }
    }
    return numbers
  }

  private func bytes(_ numbers: [Float], _ precision: Precision) -> Data {
    var file = FileBytes()
    if precision == .float32 {
      file.append(numbers)
    } else {
      file.append(numbers.map(HalfFormat(precision).nearest))
    }
    return Data(file.bytes)
  }

  /// Every instruction set, and one to three threads.
  private func contexts() throws -> [ExecutionContext] {
    try (1...3).map { try ExecutionContext(threads: $0) }
      + InstructionSet.available.map { try ExecutionContext(threads: 3, instructionSet: $0) }
  }

  @Test(arguments: [CheckpointFormat.llmVersion3, .llmVersion5])
  func llmFilesHoldTheNumbers(format: CheckpointFormat) throws {
    let path = directory.path + "/model.bin"
    let expected = bytes(numbers(huggingFace: false), format.precision)
    let rounded = rounded(format.precision)
    for context in try contexts() {
      try Checkpoint.write(parameters, to: path, as: format, overwrite: true, context: context)
      let written = try Data(contentsOf: URL(filePath: path)).dropFirst(1024)
      // Not the data: describing how they differ would take minutes.
      let isSame = written == expected
      #expect(isSame, "\(format) on \(context.instructionSet), \(context.threads) threads")
      try expectRead(path, rounded, context)
    }
  }

  @Test(arguments: precisions) func directoriesHoldTheNumbers(precision: Precision) throws {
    let path = directory.path + "/hf"
    let expected = bytes(numbers(huggingFace: true), precision)
    let rounded = rounded(precision)
    for context in try contexts() {
      try Checkpoint.write(
        parameters, to: path, as: .huggingFace(precision), overwrite: true, context: context)
      let written = try Data(contentsOf: URL(filePath: path + "/model.safetensors")).suffix(expected.count)
      let isSame = written == expected
      #expect(isSame, "\(precision) on \(context.instructionSet), \(context.threads) threads")
      try expectRead(path, rounded, context)
    }
  }

  /// The tensors as they are read from a file of this precision.
  private func rounded(_ precision: Precision) -> [String: [Float]] {
    guard precision != .float32 else { return parameters.arrays }
    let format = HalfFormat(precision)
    return parameters.arrays.mapValues { $0.map { format.value(format.nearest($0)) } }
  }

  private func expectRead(_ path: String, _ expected: [String: [Float]], _ context: ExecutionContext) throws {
    let checkpoint = try Checkpoint(path: path)
    let read = try ParameterTensors(checkpoint.configuration)
    read.all.fill(7)
    checkpoint.load(into: read, context: context)
    for tensor in read.tensors {
      let difference = firstDifference(tensor.array(), try #require(expected[tensor.name]))
      #expect(difference == nil, "\(tensor.name) of \(checkpoint.format) on \(context.instructionSet)")
    }
  }

  /// The first number that float16 cannot hold, in the order of the file, beyond the first chunk.
  @Test func theNumberThatIsTooLargeIsNamed() throws {
    let path = directory.path + "/new"
    // Stored rows of 2080, 504 at a time: the second chunk's first number is that of input 504 and output 0.
    parameters["fcw"]![600 * 520 + 505] = -70_000
    parameters["fcw"]![504] = 80_000
    for context in try contexts() {
      let refusal = sentence {
        try Checkpoint.write(parameters, to: path, as: .huggingFace(.float16), context: context)
      }
      #expect(refusal == "\(path): each number of fcw should be within float16's ±65504, but is 80000.0.")
      #expect(!FileManager.default.fileExists(atPath: path))
    }
  }
}
