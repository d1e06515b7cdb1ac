import Machine
import Operators
import Reference
import TestSupport
import Testing

/// Attention over bfloat16: the bits of plain loops on every instruction set, with its unit and without, and near
/// Double.
@Suite struct PairedAttentionTests {
  /// Those of float32, and others with odd ends of pairs: sequences, heads, groups and blocks.
  private static let sizes =
    AttentionSize.ragged
    + [
      (1, 2, 1, 1), (2, 3, 2, 3), (1, 3, 1, 16), (1, 13, 2, 63), (1, 5, 1, 80), (1, 25, 3, 7),
      (1, 129, 2, 63),
      (1, 143, 1, 80), (2, 259, 1, 16), (1, 131, 1, 513),
    ].map { AttentionSize(batchSize: $0.0, sequenceLength: $0.1, heads: $0.2, headSize: $0.3) }

  private static let operandError = 0x1p-8

  @Test(arguments: sizes) func forward(_ size: AttentionSize) throws {
    let qkv = size.qkv(seed: 15).map(ReferencePairs.operand)
    let results = try everywhere(sequenceLength: size.sequenceLength, withoutMatrixUnit: true) { place in
      let kept = try AttentionWeights(
        scores: place.output(size.reference.scoreCount), weights: place.output(size.reference.scoreCount))
      let with = try pairedForward(qkv, size, place, kept: kept)
      let without = try pairedForward(qkv, size, place)
      expect(without.out, equals: with.out, "out without keeping the weights")
      expect(without.logSumExp, equals: with.logSumExp, "log Σ exp without keeping the weights")
      return [
        "out": with.out, "logSumExp": with.logSumExp, "scores": kept.scores.array(),
        "weights": kept.weights.array(),
      ]
    }
    let (plain, exact) = (
      ReferenceAttention.pairedForward(qkv, size.reference),
      AttentionOracle(size, qkv, operandError: Self.operandError)
    )
    for (set, outputs) in results {
      expect(outputs["out"], equals: plain.output, "out on \(set)")
      expect(outputs["logSumExp"], equals: plain.logSumExp, "log Σ exp on \(set)")
      expect(outputs["scores"], near: exact.kept.preattention, within: exact.scoreBound, "scores on \(set)")
      expect(outputs["weights"], near: exact.kept.attention, within: exact.weightBound, "weights on \(set)")
      expect(outputs["logSumExp"], near: exact.logSumExp, within: exact.logSumExpBound, "log Σ exp on \(set)")
      expect(outputs["out"], near: exact.kept.output, within: exact.outBound, "out on \(set)")
    }
  }

  /// The backward pass takes the oracle's output and log-sum-exp, rounded once.
  @Test(arguments: sizes) func backward(_ size: AttentionSize) throws {
    let qkv = size.qkv(seed: 16).map(ReferencePairs.operand)
    var random = TestRandom(seed: 17)
    let normal: [Float] = random.normal(size.count)
    let dout = normal.map(ReferencePairs.operand)
    let exact = AttentionOracle(size, qkv, operandError: Self.operandError)
    let (out, logSumExp) = (exact.kept.output.map { Float($0) }, exact.logSumExp.map { Float($0) })
    let results = try everywhere(
      sequenceLength: size.sequenceLength,
      sharedCount: max(1, Attention.sharedScratchCount(shape: size.shape)), withoutMatrixUnit: true
    ) { place in
      let dqkv = try place.pairedOutput(qkv.count)
      try Attention.backward(
        place.operand(dout, columns: size.channels), qkv: place.operand(qkv, columns: 3 * size.channels),
        out: place.operand(out, columns: size.channels), logSumExp: place.input(logSumExp), shape: size.shape,
        sums: place.output(qkv.count).matrix(columns: 3 * size.channels),
        dqkv: dqkv.matrix(columns: 3 * size.channels), context: place.context)
      return ["dqkv": try place.expanded(dqkv)]
    }
    let plain = ReferenceAttention.pairedBackward(
      dout, qkv: qkv, output: out, logSumExp: logSumExp, size.reference)
    let expected = ReferenceAttention.backward(
      doubles(dout), qkv: doubles(qkv), kept: exact.kept, batchSize: size.batchSize,
      sequenceLength: size.sequenceLength, channels: size.channels, heads: size.heads)
    let bounds = exact.gradientBound(dout, expected)
    for (set, outputs) in results {
      expect(outputs["dqkv"], equals: plain, "dqkv on \(set)")
      expect(outputs["dqkv"], near: expected, within: bounds, "dqkv on \(set)")
    }
  }

  /// Over one key the softmax is 1, whatever the score: nothing reaches query and key, everything the value.
  @Test(arguments: [(1, 1, 1), (2, 3, 12), (3, 2, 63), (1, 1, 300)])
  func oneKey(batchSize: Int, heads: Int, headSize: Int) throws {
    let size = AttentionSize(
      batchSize: batchSize, sequenceLength: 1, heads: heads, headSize: headSize, deviation: 12)
    let qkv = size.qkv(seed: 21)
    var random = TestRandom(seed: 22)
    let normal: [Float] = random.normal(size.count)
    let dout = normal.map(ReferencePairs.operand)
    let zeros = [Float](repeating: 0, count: 2 * size.channels)
    let expected = (0..<batchSize).flatMap { zeros + dout[$0 * size.channels..<($0 + 1) * size.channels] }
    let results = try everywhere { place in
      let dqkv = try place.pairedOutput(qkv.count)
      let ones = [Float](repeating: 1, count: size.count)
      try Attention.backward(
        place.operand(dout, columns: size.channels), qkv: place.operand(qkv, columns: 3 * size.channels),
        out: place.operand(ones, columns: size.channels), logSumExp: place.input(Array(ones[..<size.rows])),
        shape: size.shape, sums: place.output(qkv.count).matrix(columns: 3 * size.channels),
        dqkv: dqkv.matrix(columns: 3 * size.channels), context: place.context)
      return ["dqkv": try place.expanded(dqkv)]
    }
    for (set, outputs) in results { expect(outputs["dqkv"], equals: expected, "dqkv on \(set)") }
  }

  /// What follows a position does not change its output.
  @Test(arguments: [1, 64, 127, 128, 130]) func causality(_ position: Int) throws {
    let size = AttentionSize(batchSize: 1, sequenceLength: 131, heads: 2, headSize: 12)
    let (qkv, other) = (size.qkv(seed: 18), size.qkv(seed: 19))
    let split = position * 3 * size.channels
    let changed = Array(qkv[..<split] + other[split...])
    _ = try everywhere(sequenceLength: size.sequenceLength, withoutMatrixUnit: true) { place in
      let first = try pairedForward(qkv, size, place).out
      let second = try pairedForward(changed, size, place).out
      let same = position * size.channels
      expect(Array(first[..<same]), equals: Array(second[..<same]), "before \(position)")
      #expect(first[same...] != second[same...])
      return [:]
    }
  }

  /// Scratch of one worker is followed by that of the next, which one task alone must leave as it is.
  @Test(arguments: [64, 300]) func keepsToItsOwnScratch(headSize: Int) throws {
    let size = AttentionSize(batchSize: 1, sequenceLength: 256, heads: 1, headSize: headSize)
    let ones = [Float](repeating: 1, count: size.count)
    for set in InstructionSet.available {
      let context = try ExecutionContext(threads: 2, instructionSet: set)
      try context.reserve(sequenceLength: size.sequenceLength, sharedCount: 1)
      let place = Place(context, edge: .end)
      defer { place.giveBack() }
      let qkv = try place.operand(size.qkv(seed: 20), columns: 3 * size.channels)
      let (dout, out) = (
        try place.operand(ones, columns: size.channels), try place.operand(ones, columns: size.channels)
      )
      let (logSumExp, dqkv) = (try place.output(size.rows), try place.pairedOutput(3 * size.count))
      let sums = try place.output(3 * size.count)
      logSumExp.fill(100)
      context.scratch(0).fill(.nan)
      context.scratch(1).fill(-7)
      // One batch, one head and 256 keys: one task, which runs as worker 0.
      Attention.backward(
        dout, qkv: qkv, out: out, logSumExp: logSumExp, shape: size.shape,
        sums: sums.matrix(columns: 3 * size.channels), dqkv: dqkv.matrix(columns: 3 * size.channels),
        context: context)
      #expect(try place.expanded(dqkv).allSatisfy { $0.isFinite })
      #expect(context.scratch(0).array().contains { !$0.isNaN }, "the task used its scratch")
      #expect(context.scratch(1).array().allSatisfy { $0 == -7 }, "on \(set)")
    }
  }

  private func pairedForward(
    _ qkv: [Float], _ size: AttentionSize, _ place: Place, kept: AttentionWeights? = nil
  ) throws -> (out: [Float], logSumExp: [Float]) {
    let (out, logSumExp) = (try place.pairedOutput(size.count), try place.output(size.rows))
    try Attention.forward(
      place.operand(qkv, columns: 3 * size.channels), shape: size.shape,
      sums: place.output(size.count).matrix(columns: size.channels),
      out: out.matrix(columns: size.channels), logSumExp: logSumExp, kept: kept, context: place.context)
    return (try place.expanded(out), logSumExp.array())
  }
}
