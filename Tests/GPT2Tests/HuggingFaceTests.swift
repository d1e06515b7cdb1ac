import Foundation
import GPT2
import Machine
import Operators
import TestSupport
import Testing

@Suite struct HuggingFaceTests {
  private let directory: ScratchDirectory
  private let context: ExecutionContext

  init() throws {
    directory = try ScratchDirectory()
    context = try ExecutionContext(threads: 2)
  }

  private func path(_ name: String) -> String { directory.path + "/" + name }

  private func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(filePath: path(name))) }

  private func bits(_ path: String, on context: ExecutionContext? = nil) throws -> [String: [UInt32]] {
    let checkpoint = try Checkpoint(path: path)
    let parameters = try ParameterTensors(checkpoint.configuration)
    // What lies there already must not show.
    parameters.all.fill(7)
    checkpoint.load(into: parameters, context: context ?? self.context)
    return Dictionary(
      uniqueKeysWithValues: parameters.tensors.map { ($0.name, $0.array().map(\.bitPattern)) })
  }

  // MARK: - Reading

  @Test(arguments: ReferenceCase.all)
  func aDirectoryHoldsTheNumbersOfTheFile(reference: ReferenceCase) throws {
    let checkpoint = try Checkpoint(path: reference.huggingFace.path)
    #expect(checkpoint.format == .huggingFace(.float32))
    #expect(checkpoint.configuration == (try Checkpoint(path: reference.model.path).configuration))
    let expected = try bits(reference.model.path)
    try withEveryContext { context in
      let read = try bits(reference.huggingFace.path, on: context)
      #expect(read == expected, "\(context.instructionSet), \(context.threads) threads")
    }
  }

  /// Names without the prefix, a repeated head, masks, several files.
  @Test func otherFormsOfADirectory() throws {
    let tiny = ReferenceCase.tiny
    let expected = try bits(tiny.model.path)
    var files = try HuggingFaceFiles(tiny.huggingFace)
    try files.writeShards(to: URL(filePath: path("shards")))
    #expect(try bits(path("shards")) == expected)

    for index in files.tensors.indices { files.tensors[index].name.replace("transformer.", with: "") }
    let head = files.tensors[try files.index("wte.weight")]
    files.tensors += [
      .init(name: "lm_head.weight", type: head.type, shape: head.shape, bytes: head.bytes),
      .init(name: "h.0.attn.bias", type: "BOOL", shape: [1, 1, 2, 2], bytes: [1, 0, 1, 1]),
      .init(name: "h.1.attn.masked_bias", type: "F32", shape: [], bytes: [0, 0, 0, 0]),
    ]
    try files.write(to: URL(filePath: path("names")))
    #expect(try bits(path("names")) == expected)
    // An unaligned header of another length, and n_ctx where n_positions is missing.
    files.configuration.replace("\"n_positions\"", with: "\"other\"")
    files.tensors[0].name = "transformer." + files.tensors[0].name
    try files.write(to: URL(filePath: path("names")))
    #expect(try bits(path("names")) == expected)
  }

  // MARK: - Writing

  /// As a reader of the tests' own sees it, by the definition of the layout.
  @Test(arguments: ReferenceCase.all)
  func writtenTensorsLieAsHuggingFaceHasThem(reference: ReferenceCase) throws {
    let checkpoint = try Checkpoint(path: reference.model.path)
    try checkpoint.write(to: path("hf"), as: .huggingFace(.float32), context: context)
    let written = try Safetensors(URL(filePath: path("hf/model.safetensors")))
    let parameters = try reference.parameters()
    let (layers, channels) = (reference.layers, reference.channels)
    #expect(written.tensors.count == 4 + 12 * layers)
    for (ours, theirs, outputs, inputs) in [
      ("qkvw", "attn.c_attn", 3 * channels, channels), ("attprojw", "attn.c_proj", channels, channels),
      ("fcw", "mlp.c_fc", 4 * channels, channels), ("fcprojw", "mlp.c_proj", channels, 4 * channels),
    ] {
      for layer in 0..<layers {
        let tensor = try #require(written.tensors["transformer.h.\(layer).\(theirs).weight"])
        #expect(tensor.shape == [inputs, outputs])
        let weights = try #require(parameters[ours]).dropFirst(layer * inputs * outputs)
        for (place, weight) in weights.prefix(inputs * outputs).enumerated() {
          let (output, input) = place.quotientAndRemainder(dividingBy: inputs)
          try #require(tensor.values[input * outputs + output] == Double(weight), "\(theirs) \(place)")
        }
      }
    }
    let embedding = try written.values("transformer.wte.weight")
    #expect(embedding == parameters["wte"]?.prefix(reference.vocabulary * channels).map(Double.init))
  }

  /// From each float32 format to each, and what was made from the others is the same bytes.
  @Test(arguments: ReferenceCase.all)
  func everyRoundTripIsExact(reference: ReferenceCase) throws {
    let formats: [(String, CheckpointFormat)] = [
      ("v1", .llmVersion1), ("v3", .llmVersion3), ("hf", .huggingFace(.float32)),
    ]
    for (source, _) in formats {
      let original = [
        "v1": reference.modelVersion1.path, "v3": reference.model.path, "hf": reference.huggingFace.path,
      ][source]!
      for (name, format) in formats {
        try Checkpoint(path: original).write(to: path("\(source)-\(name)"), as: format, context: context)
        // And back.
        for (third, format) in formats {
          try Checkpoint(path: path("\(source)-\(name)")).write(
            to: path("\(source)-\(name)-\(third)"), as: format, context: context)
        }
      }
    }
    let (first, third) = (
      try Data(contentsOf: reference.modelVersion1), try Data(contentsOf: reference.model)
    )
    let tensors = try bytes("v3-hf/model.safetensors")
    for way in ["v1", "v3", "hf"].flatMap({ source in ["", "-v1", "-v3", "-hf"].map { source + $0 } }) {
      #expect(try bytes(way + "-v1") == first, "\(way)")
      #expect(try bytes(way + "-v3") == third, "\(way)")
      #expect(try bytes(way + "-hf/model.safetensors") == tensors, "\(way)")
    }
  }

  /// NaNs with payloads, infinities, subnormals and both zeros.
  @Test func oddNumbersKeepTheirBits() throws {
    let configuration = try TinyModel.configuration(padded: 128)
    let parameters = try ParameterTensors(configuration)
    let patterns: [UInt32] = [0x7FC0_1234, 0x7F80_0001, 0xFF80_0000, 1, 0x8000_0000, 0x3F80_0001]
    for tensor in parameters.tensors {
      let used = tensor.name == "wte" ? 5 * 2 : tensor.count
      for index in 0..<used { tensor[index] = Float(bitPattern: patterns[index % patterns.count]) }
    }
    try Checkpoint.write(parameters, to: path("a.bin"), context: context)
    try Checkpoint.write(parameters, to: path("hf"), as: .huggingFace(.float32), context: context)
    try Checkpoint(path: path("hf")).write(to: path("b.bin"), as: .llmVersion3, context: context)
    #expect(try bytes("a.bin") == bytes("b.bin"))
    #expect(try bits(path("hf"))["fcw"]?.prefix(6) == patterns[...])
  }

  @Test(arguments: ReferenceCase.all)
  func bfloat16RoundsToNearestEven(reference: ReferenceCase) throws {
    let expected = try Data(contentsOf: reference.modelBFloat16)
    try withEveryContext { context in
      try Checkpoint(path: reference.huggingFace.path).write(
        to: path("a.bin"), as: .llmVersion5, overwrite: true, context: context)
      #expect(try bytes("a.bin") == expected, "\(context.instructionSet), \(context.threads) threads")
    }
    // What is rounded already stays as it is.
    try Checkpoint(path: path("a.bin")).write(to: path("hf"), as: .huggingFace(.bfloat16), context: context)
    let written = try Checkpoint(path: path("hf"))
    #expect(written.format == .huggingFace(.bfloat16) && written.byteCount < expected.count)
    try written.write(to: path("b.bin"), as: .llmVersion5, context: context)
    #expect(try bytes("b.bin") == expected)
  }

  @Test func float16HoldsWhatItCan() throws {
    let tiny = ReferenceCase.tiny
    try Checkpoint(path: tiny.model.path).write(to: path("hf"), as: .huggingFace(.float16), context: context)
    #expect(try Checkpoint(path: path("hf")).precision == .float16)
    for (name, numbers) in try bits(path("hf")) {
      let expected = try #require(try tiny.parameters()[name]).map { Float(Float16($0)).bitPattern }
      #expect(numbers == expected, "\(name)")
    }
    let configuration = try TinyModel.configuration(padded: 128)
    let parameters = try ParameterTensors(configuration)
    parameters["fcprojb"]![1] = -65_520
    let refusal = sentence {
      try Checkpoint.write(parameters, to: path("new"), as: .huggingFace(.float16), context: context)
    }
    #expect(
      refusal == "\(path("new")): each number of fcprojb should be within float16's ±65504, but is -65520.0.")
    #expect(!FileManager.default.fileExists(atPath: path("new")))
    parameters["fcprojb"]![1] = -65_519
    try Checkpoint.write(parameters, to: path("new"), as: .huggingFace(.float16), context: context)
  }

  /// Files of mixed precision are said to have the coarsest.
  @Test func mixedPrecisions() throws {
    var files = try HuggingFaceFiles(ReferenceCase.tiny.huggingFace)
    func halve(_ name: String, _ type: String) throws -> Checkpoint {
      let index = try files.index("transformer.\(name)")
      files.tensors[index].type = type
      files.tensors[index].bytes = [UInt8](repeating: 0, count: 2 * files.tensors[index].shape.reduce(1, *))
      try files.write(to: URL(filePath: path("mixed")))
      return try Checkpoint(path: path("mixed"))
    }
    #expect(try halve("ln_f.bias", "F16").precision == .float16)
    #expect(try halve("wpe.weight", "BF16").precision == .bfloat16)
    let expected = try bits(ReferenceCase.tiny.model.path)
    #expect(try bits(path("mixed"))["fcprojw"] == expected["fcprojw"])
  }
}
