import Foundation
import GPT2
import Machine
import Testing

@Suite struct CheckpointTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  // MARK: - Reading

  @Test(arguments: [(1, 5), (3, 128), (3, 7), (5, 128)])
  func tensorsHoldTheNumbersOfTheFile(version: Int32, padded: Int) throws {
    let path = try directory.write(TinyModel.checkpoint(version: version, padded: padded))
    let checkpoint = try Checkpoint(path: path)
    #expect(checkpoint.version == Int(version))
    #expect(checkpoint.precision == (version == 5 ? .bfloat16 : .float32))
    #expect(try checkpoint.configuration == TinyModel.configuration(padded: padded))

    let arena = try Arena(checkpoint.configuration.parameterShapes)
    checkpoint.load(into: arena)
    let mask: UInt32 = version == 5 ? 0xFFFF_0000 : .max
    let expected = try TinyModel.parameters(padded: padded).map { $0.bitPattern & mask }
    #expect(arena.tensors.flatMap { $0.array().map(\.bitPattern) } == expected)
  }

  @Test(.enabled(if: SharedFiles.isPresent), arguments: ["small", "odd", "head64"])
  func theVersionsOfAReferenceCaseAgree(name: String) throws {
    let folder = SharedFiles.file("reference/\(name)/")
    let padded = try load(folder + "model.bin")
    let exact = try load(folder + "model_v1.bin")
    let rounded = try load(folder + "model_bf16.bin")
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

  private func load(_ path: String) throws -> Arena {
    let checkpoint = try Checkpoint(path: path)
    let arena = try Arena(checkpoint.configuration.parameterShapes)
    checkpoint.load(into: arena)
    return arena
  }

  // MARK: - Writing

  @Test(arguments: [5, 7, 128, 130])
  func writtenCheckpointsReadBackTheSameBits(padded: Int) throws {
    let configuration = try TinyModel.configuration(padded: padded)
    let arena = try Arena(configuration.parameterShapes)
    let values = try TinyModel.parameters(padded: padded)
    var start = 0
    for tensor in arena.tensors {
      tensor.copy(from: Array(values[start..<start + tensor.count]))
      start += tensor.count
    }
    let path = directory.path + "/model.bin"
    try Checkpoint.write(arena, configuration: configuration, to: path)

    let read = try Checkpoint(path: path)
    #expect(read.version == 3)
    #expect(read.configuration.paddedVocabularySize == (padded == 130 ? 256 : 128))
    let copy = try load(path)
    for (tensor, original) in zip(copy.tensors, arena.tensors) {
      let bits = tensor.array().map(\.bitPattern)
      #expect(Array(bits.prefix(original.count)) == original.array().map(\.bitPattern), "\(tensor.name)")
      #expect(bits.dropFirst(original.count).allSatisfy { $0 == 0 }, "\(tensor.name)")
    }
  }

  @Test(.enabled(if: SharedFiles.isPresent), arguments: ["small", "odd", "head64"])
  func writingAReferenceCaseGivesItsBytes(name: String) throws {
    let folder = SharedFiles.file("reference/\(name)/")
    for source in ["model.bin", "model_v1.bin"] {
      let checkpoint = try Checkpoint(path: folder + source)
      let path = directory.path + "/" + source
      try Checkpoint.write(load(folder + source), configuration: checkpoint.configuration, to: path)
      let written = try Data(contentsOf: URL(fileURLWithPath: path))
      let original = try Data(contentsOf: URL(fileURLWithPath: folder + "model.bin"))
      #expect(written == original, "from \(source)")
    }
  }

  @Test func anExistingFileIsKeptUnlessAsked() throws {
    let configuration = try TinyModel.configuration(padded: 128)
    let arena = try Arena(configuration.parameterShapes)
    let path = try directory.write([1, 2, 3])
    #expect(throws: FileError.exists(path: path)) {
      try Checkpoint.write(arena, configuration: configuration, to: path)
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data([1, 2, 3]))
    try Checkpoint.write(arena, configuration: configuration, to: path, overwrite: true)
    #expect(try Checkpoint(path: path).configuration == configuration)
  }
}
