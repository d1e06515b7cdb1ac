import GPT2
import TestSupport
import Testing

@Suite struct DebugStateTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  /// The state of `TinyModel` for B = 2, T = 3, the gradient of wte with `rows` rows.
  private func state(rows: Int, padding: Float = 0) throws -> [UInt8] {
    var file = FileBytes(header: [20_240_327, 2, 2, 3])
    file.append([0, 1, 2, 3, 4, 0] as [Int32])
    file.append([1, 2, 3, 4, 0, 1] as [Int32])
    file.append((0..<6 * 5).map { Float($0) })
    file.append([1.5] as [Float])
    let channels = TinyModel.channels
    file.append((0..<rows * channels).map { $0 < 5 * channels ? TinyModel.value($0) : padding })
    let others = try TinyModel.configuration(padded: 5).parameterCount - 5 * channels
    file.append((0..<others).map { -Float($0) })
    return file.bytes
  }

  @Test(arguments: [5, 7, 128], [5, 7, 128])
  func contentsForAnyPaddingOfFileAndModel(rows: Int, padded: Int) throws {
    let configuration = try TinyModel.configuration(padded: padded)
    let path = try directory.write(state(rows: rows))
    // Seven rows are told apart only by a model that has seven: the file does not hold its Vp.
    if rows == 7 && padded != 7 {
      #expect(sentence { _ = try DebugState(path: path, configuration: configuration) } != nil)
      return
    }
    let state = try DebugState(path: path, configuration: configuration)
    #expect(state.batchSize == 2)
    #expect(state.sequenceLength == 3)
    #expect(state.inputs == [0, 1, 2, 3, 4, 0])
    #expect(state.targets == [1, 2, 3, 4, 0, 1])
    #expect(state.logits == (0..<30).map { Float($0) })
    #expect(state.loss == 1.5)
    for parameter in Parameter.allCases {
      #expect(
        state.gradients[parameter.name]?.count == parameter.shape(configuration).reduce(1, *),
        "\(parameter.name)")
    }
    let embedding = (0..<10).map(TinyModel.value)
    #expect(state.gradients["wte"] == embedding + [Float](repeating: 0, count: 2 * padded - 10))
    #expect(state.gradients["wpe"] == [0, -1, -2, -3, -4, -5])
    let others = try TinyModel.configuration(padded: 5).parameterCount - 10
    #expect(state.gradients["lnfb"] == [-Float(others - 2), -Float(others - 1)])
  }

  /// The file's float32 are the expected values, rounded where those are kept in Double.
  @Test(arguments: ReferenceCase.all)
  func referenceCasesAreRead(reference: ReferenceCase) throws {
    let expected = try reference.expected()
    let batch = try reference.batch()
    for model in [reference.model, reference.modelVersion1] {
      let configuration = try Checkpoint(path: model.path).configuration
      let state = try DebugState(path: reference.debugState.path, configuration: configuration)
      #expect(state.batchSize == reference.batchSize)
      #expect(state.sequenceLength == reference.sequenceLength)
      #expect(state.inputs == batch.inputs)
      #expect(state.targets == batch.targets)
      #expect(try state.logits == expected.values("logits").map { Float($0) })
      #expect(try [state.loss] == expected.values("loss").map { Float($0) })
      for parameter in Parameter.allCases {
        let gradient = try #require(state.gradients[parameter.name])
        // The expected gradient of wte has no padding.
        let values = try expected.values("grad.\(parameter.name)").map { Float($0) }
        #expect(Array(gradient.prefix(values.count)) == values, "\(parameter.name)")
        #expect(gradient.dropFirst(values.count).allSatisfy { $0 == 0 }, "\(parameter.name)")
        #expect(gradient.count == parameter.shape(configuration).reduce(1, *), "\(parameter.name)")
      }
    }
  }

  // MARK: - Bad files

  private func refusal(_ bytes: [UInt8], padded: Int = 128) throws -> String? {
    let configuration = try TinyModel.configuration(padded: padded)
    let path = try directory.write(bytes)
    return sentence { _ = try DebugState(path: path, configuration: configuration) }
      .map { $0.replacing(path, with: "FILE") }
  }

  @Test func everyTruncation() throws {
    let whole = try state(rows: 128)
    let shorter = try state(rows: 5).count
    for length in 0..<whole.count where length != shorter {
      let text = try #require(try refusal(Array(whole[..<length])), "accepted with \(length) bytes")
      #expect(text.contains("the file's size"), "\(length) bytes: \(text)")
    }
    #expect(try refusal(whole) == nil)
    #expect(try refusal(whole + [0])?.contains("bytes, 1 too many") == true)
  }

  @Test func wrongFields() throws {
    var bytes = try state(rows: 128)
    func with(_ field: Int, _ value: Int32) -> [UInt8] {
      var changed = bytes
      changed.replaceSubrange(4 * field..<4 * field + 4, with: FileBytes.littleEndian(value))
      return changed
    }
    #expect(
      try refusal(with(0, 20_240_326))
        == "FILE: the file should be an llm.c debug state, but is an llm.c checkpoint: it goes behind --checkpoint."
    )
    #expect(try refusal(with(1, 1)) == "FILE: the version should be 2, but is 1.")
    #expect(try refusal(with(2, 0)) == "FILE: the batch size should be at least 1, but is 0.")
    for length: Int32 in [-1, 0, 4, .max] {
      #expect(
        try refusal(with(3, length))
          == "FILE: the sequence length should be in 1...3, the model's context, but is \(length).")
    }
    for size in [1, 3, 1 << 20, Int32.max] {
      #expect(try refusal(with(2, size))?.contains("the file's size") == true, "B = \(size)")
    }
    for token: Int32 in [-1, 5, .max, .min] {
      #expect(
        try refusal(with(256 + 2, token))
          == "FILE: an input token should be in 0..<5, but is \(token) at position 2.")
      #expect(
        try refusal(with(256 + 6 + 4, token))
          == "FILE: a target token should be in 0..<5, but is \(token) at position 4.")
    }
    bytes = try state(rows: 128, padding: 1)
    #expect(try refusal(bytes) == nil)
    #expect(
      try refusal(bytes, padded: 5)
        == "FILE: the gradient of wte should be zero beyond the model's 5 rows, but is not.")
  }
}
