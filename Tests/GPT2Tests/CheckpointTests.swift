import Foundation
import GPT2
import Machine
import Operators
import TestSupport
import Testing

@Suite struct CheckpointTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  // MARK: - Reading

  @Test(arguments: [(1, 5), (3, 128), (3, 7), (5, 128)])
  func tensorsHoldTheNumbersOfTheFile(version: Int32, padded: Int) throws {
    let path = try directory.write(TinyModel.checkpoint(version: version, padded: padded))
    let checkpoint = try Checkpoint(path: path)
    #expect(checkpoint.format == [1: .llmVersion1, 3: .llmVersion3, 5: .llmVersion5][version])
    #expect(checkpoint.precision == (version == 5 ? .bfloat16 : .float32))
    #expect(try checkpoint.configuration == TinyModel.configuration(padded: padded))

    let mask: UInt32 = version == 5 ? 0xFFFF_0000 : .max
    let expected = try TinyModel.parameters(padded: padded).map { $0.bitPattern & mask }
    try withEveryContext { context in
      let parameters = try ParameterTensors(checkpoint.configuration)
      checkpoint.load(into: parameters, context: context)
      #expect(parameters.tensors.flatMap { $0.array().map(\.bitPattern) } == expected)
    }
  }

  @Test(arguments: ReferenceCase.all)
  func theVersionsOfAReferenceCaseAgree(reference: ReferenceCase) throws {
    let padded = try load(reference.model.path)
    let exact = try load(reference.modelVersion1.path)
    let rounded = try load(reference.modelBFloat16.path)
    let expected = try reference.parameters()
    for tensor in padded.tensors { #expect(tensor.array() == expected[tensor.name], "\(tensor.name)") }
    for (tensor, other) in zip(padded.tensors, exact.tensors) {
      #expect(Array(tensor.array().prefix(other.count)) == other.array(), "\(tensor.name)")
      #expect(tensor.array().dropFirst(other.count).allSatisfy { $0 == 0 }, "\(tensor.name)")
    }
    for (tensor, other) in zip(padded.tensors, rounded.tensors) {
      // bfloat16 keeps 8 bits: rounding to nearest is off by at most 2⁻⁹ of the number's binade.
      let matches = zip(tensor.array(), other.array()).allSatisfy { abs($0 - $1) <= abs($0) / 256 }
      #expect(matches, "\(tensor.name)")
    }
  }

  private func load(_ path: String) throws -> ParameterTensors {
    let checkpoint = try Checkpoint(path: path)
    let parameters = try ParameterTensors(checkpoint.configuration)
    checkpoint.load(into: parameters, context: try ExecutionContext(threads: 2))
    return parameters
  }

  // MARK: - Writing

  @Test(arguments: [5, 7, 128, 130])
  func writtenCheckpointsReadBackTheSameBits(padded: Int) throws {
    let configuration = try TinyModel.configuration(padded: padded)
    let parameters = try ParameterTensors(configuration)
    let values = try TinyModel.parameters(padded: padded)
    var start = 0
    for tensor in parameters.tensors {
      tensor.copy(from: Array(values[start..<start + tensor.count]))
      start += tensor.count
    }
    let path = directory.path + "/model.bin"
    try Checkpoint.write(parameters, to: path, context: ExecutionContext(threads: 2))

    let read = try Checkpoint(path: path)
    #expect(read.format == .llmVersion3)
    #expect(read.configuration.paddedVocabularySize == (padded == 130 ? 256 : 128))
    let copy = try load(path)
    for (tensor, original) in zip(copy.tensors, parameters.tensors) {
      let bits = tensor.array().map(\.bitPattern)
      #expect(Array(bits.prefix(original.count)) == original.array().map(\.bitPattern), "\(tensor.name)")
      #expect(bits.dropFirst(original.count).allSatisfy { $0 == 0 }, "\(tensor.name)")
    }
  }

  @Test(arguments: ReferenceCase.all)
  func writingAReferenceCaseGivesItsBytes(reference: ReferenceCase) throws {
    let original = try Data(contentsOf: reference.model)
    for source in [reference.model, reference.modelVersion1] {
      let path = directory.path + "/" + source.lastPathComponent
      try withEveryContext { context in
        try Checkpoint.write(load(source.path), to: path, overwrite: true, context: context)
        let isSame = try Data(contentsOf: URL(fileURLWithPath: path)) == original
        #expect(isSame, "from \(source.lastPathComponent) on \(context.instructionSet)")
      }
    }
  }

  @Test func anExistingFileIsKeptUnlessAsked() throws {
    let configuration = try TinyModel.configuration(padded: 128)
    let parameters = try ParameterTensors(configuration)
    let path = try directory.write([1, 2, 3])
    let context = try ExecutionContext(threads: 2)
    let refusal = sentence { try Checkpoint.write(parameters, to: path, context: context) }
    #expect(refusal == FileError.exists(path: path).description)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data([1, 2, 3]))
    try Checkpoint.write(parameters, to: path, overwrite: true, context: context)
    #expect(try Checkpoint(path: path).configuration == configuration)
  }
}
