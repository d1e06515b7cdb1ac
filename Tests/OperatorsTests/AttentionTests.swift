import Foundation
import Machine
import Operators
import Reference
import TestSupport
import Testing

struct AttentionSize: CustomTestStringConvertible, Sendable {
  let batchSize, sequenceLength, heads, headSize: Int
  /// Of queries, keys and values. At 1.7 some rows look at one key, some at many.
  var deviation = 1.7
  var testDescription: String {
    "B \(batchSize), T \(sequenceLength), NH \(heads), hs \(headSize), deviation \(deviation)"
  }

  var channels: Int { heads * headSize }
  var count: Int { batchSize * sequenceLength * channels }
  var rows: Int { batchSize * heads * sequenceLength }

  var shape: AttentionShape {
    AttentionShape(batchSize: batchSize, sequenceLength: sequenceLength, heads: heads, channels: channels)
  }
  var reference: ReferenceAttention.Shape {
    ReferenceAttention.Shape(
      batchSize: batchSize, sequenceLength: sequenceLength, channels: channels, heads: heads)
  }

  /// About a group of 12 rows, a block of 128 queries and keys, a task of 256 of either (of 384 keys at T = 1100), and
  /// the 256 channels of a panel; GPT-2's head size, ragged ones and one channel; positions 4 KB apart; scores hundreds
  /// apart, whose weights underflow.
  static let ragged =
    [
      (1, 1, 1, 1), (2, 1, 3, 12), (1, 2, 2, 64), (2, 19, 3, 12), (1, 63, 2, 64), (2, 64, 1, 12),
      (1, 65, 3, 1), (1, 65, 1, 64), (2, 127, 1, 12), (1, 128, 1, 64), (2, 131, 2, 12), (1, 131, 1, 17),
      (1, 140, 1, 300), (1, 130, 16, 64), (1, 257, 1, 64), (1, 321, 2, 5), (1, 521, 1, 12), (1, 1100, 1, 3),
    ].map { AttentionSize(batchSize: $0.0, sequenceLength: $0.1, heads: $0.2, headSize: $0.3) } + [
      AttentionSize(batchSize: 1, sequenceLength: 300, heads: 1, headSize: 12, deviation: 12)
    ]

  func qkv(seed: UInt64) -> [Float] {
    var random = TestRandom(seed: seed)
    return random.normal(3 * count, deviation: deviation)
  }
}

@Suite struct AttentionTests {
  @Test(arguments: AttentionSize.ragged) func forward(_ size: AttentionSize) throws {
    let qkv = size.qkv(seed: 15)
    let results = try everywhere(sequenceLength: size.sequenceLength) { place in
      let input = try place.input(qkv)
      func forward(keeping kept: AttentionWeights?) throws -> (out: [Float], logSumExp: [Float]) {
        let (out, logSumExp) = (try place.output(size.count), try place.output(size.rows))
        Attention.forward(
          input.matrix(columns: 3 * size.channels), shape: size.shape,
          out: out.matrix(columns: size.channels), logSumExp: logSumExp, kept: kept, context: place.context)
        return (out.array(), logSumExp.array())
      }
      let kept = try AttentionWeights(
        scores: place.output(size.reference.scoreCount), weights: place.output(size.reference.scoreCount))
      let (with, without) = (try forward(keeping: kept), try forward(keeping: nil))
      expect(without.out, equals: with.out, "out without keeping the weights")
      expect(without.logSumExp, equals: with.logSumExp, "log Σ exp without keeping the weights")
      return [
        "out": with.out, "logSumExp": with.logSumExp, "scores": kept.scores.array(),
        "weights": kept.weights.array(),
      ]
    }
    let exact = AttentionOracle(size, qkv)
    for (set, outputs) in results {
      expect(outputs["scores"], near: exact.kept.preattention, within: exact.scoreBound, "scores on \(set)")
      expect(outputs["weights"], near: exact.kept.attention, within: exact.weightBound, "weights on \(set)")
      expect(outputs["logSumExp"], near: exact.logSumExp, within: exact.logSumExpBound, "log Σ exp on \(set)")
      expect(outputs["out"], near: exact.kept.output, within: exact.outBound, "out on \(set)")
      expectDistributions(outputs["weights"] ?? [], size, "on \(set)")
    }
  }

  /// A row's weights are exp / Σ exp of the same exponentials: their sum is off by that sum's roundings, those of
  /// 1/Σ and of the product, not by the error of exp. What lies after the row's position is 0 (the bounds say so too:
  /// both are 0 there).
  private func expectDistributions(_ weights: [Float], _ size: AttentionSize, _ what: String) {
    let length = size.sequenceLength
    for row in 0..<size.rows {
      let valid = row % length + 1
      let sum = weights[row * length..<row * length + valid].reduce(0.0) { $0 + Double($1) }
      #expect(abs(sum - 1) <= rounded(laneRoundings(valid) + 2), "row \(row) \(what)")
      #expect(weights[row * length + valid..<(row + 1) * length].allSatisfy { $0 == 0 }, "row \(row) \(what)")
    }
  }

  /// The backward pass takes the oracle's output and log-sum-exp, rounded once.
  @Test(arguments: AttentionSize.ragged) func backward(_ size: AttentionSize) throws {
    let qkv = size.qkv(seed: 16)
    var random = TestRandom(seed: 17)
    let dout: [Float] = random.normal(size.count)
    let exact = AttentionOracle(size, qkv)
    let results = try everywhere(
      sequenceLength: size.sequenceLength,
      sharedCount: max(1, Attention.sharedScratchCount(shape: size.shape))
    ) { place in
      let dqkv = try place.output(qkv.count)
      try Attention.backward(
        place.input(dout).matrix(columns: size.channels),
        qkv: place.input(qkv).matrix(columns: 3 * size.channels),
        out: place.input(exact.kept.output.map { Float($0) }).matrix(columns: size.channels),
        logSumExp: place.input(exact.logSumExp.map { Float($0) }), shape: size.shape,
        dqkv: dqkv.matrix(columns: 3 * size.channels), context: place.context)
      return ["dqkv": dqkv.array()]
    }
    let expected = ReferenceAttention.backward(
      doubles(dout), qkv: doubles(qkv), kept: exact.kept, batchSize: size.batchSize,
      sequenceLength: size.sequenceLength, channels: size.channels, heads: size.heads)
    let bounds = exact.gradientBound(dout, expected)
    for (set, outputs) in results {
      expect(outputs["dqkv"], near: expected, within: bounds, "dqkv on \(set)")
    }
  }

  /// Over one key the softmax is 1, whatever the score: nothing reaches query and key, everything the value.
  @Test(arguments: [(1, 1, 1), (2, 3, 12), (3, 2, 64), (1, 1, 300)])
  func oneKey(batchSize: Int, heads: Int, headSize: Int) throws {
    let size = AttentionSize(
      batchSize: batchSize, sequenceLength: 1, heads: heads, headSize: headSize, deviation: 12)
    let qkv = size.qkv(seed: 21)
    var random = TestRandom(seed: 22)
    let dout: [Float] = random.normal(size.count)
    let zeros = [Float](repeating: 0, count: 2 * size.channels)
    let expected = (0..<batchSize).flatMap { zeros + dout[$0 * size.channels..<($0 + 1) * size.channels] }
    let results = try everywhere { place in
      let input = try place.input(qkv).matrix(columns: 3 * size.channels)
      let out = try place.output(size.count).matrix(columns: size.channels)
      let logSumExp = try place.output(size.rows)
      Attention.forward(input, shape: size.shape, out: out, logSumExp: logSumExp, context: place.context)
      let dqkv = try place.output(qkv.count)
      try Attention.backward(
        place.input(dout).matrix(columns: size.channels), qkv: input, out: out, logSumExp: logSumExp,
        shape: size.shape, dqkv: dqkv.matrix(columns: 3 * size.channels),
        context: place.context)
      return ["dqkv": dqkv.array()]
    }
    for (set, outputs) in results { expect(outputs["dqkv"], equals: expected, "dqkv on \(set)") }
  }

  /// What follows a position does not change its output.
  @Test(arguments: [1, 64, 127, 128, 130]) func causality(_ position: Int) throws {
    let size = AttentionSize(batchSize: 1, sequenceLength: 131, heads: 2, headSize: 12)
    let (qkv, other) = (size.qkv(seed: 18), size.qkv(seed: 19))
    let split = position * 3 * size.channels
    let changed = Array(qkv[..<split] + other[split...])
    func forward(_ qkv: [Float], _ place: Place) throws -> [Float] {
      let (out, logSumExp) = (try place.output(size.count), try place.output(size.rows))
      try Attention.forward(
        place.input(qkv).matrix(columns: 3 * size.channels), shape: size.shape,
        out: out.matrix(columns: size.channels), logSumExp: logSumExp, context: place.context)
      return out.array()
    }
    _ = try everywhere(sequenceLength: size.sequenceLength) { place in
      let (first, second) = (try forward(qkv, place), try forward(changed, place))
      let same = position * size.channels
      expect(Array(first[..<same]), equals: Array(second[..<same]), "before \(position)")
      #expect(first[same] != second[same])
      return [:]
    }
  }

  /// Attention's scratch of one worker is followed by that of the next, which one task alone must leave as it is.
  @Test(arguments: [64, 300]) func keepsToItsOwnScratch(headSize: Int) throws {
    let size = AttentionSize(batchSize: 1, sequenceLength: 256, heads: 1, headSize: headSize)
    let qkv = size.qkv(seed: 20)
    for set in InstructionSet.available {
      let context = try ExecutionContext(threads: 2, instructionSet: set)
      try context.reserve(sequenceLength: size.sequenceLength, sharedCount: 1)
      let place = Place(context, edge: .end)
      defer { place.giveBack() }
      context.scratch(0).fill(.nan)
      context.scratch(1).fill(-7)
      let dqkv = try place.output(qkv.count)
      // One batch, one head and 256 keys: one task, which runs as worker 0.
      try Attention.backward(
        place.input([Float](repeating: 1, count: size.count)).matrix(columns: size.channels),
        qkv: place.input(qkv).matrix(columns: 3 * size.channels),
        out: place.input([Float](repeating: 1, count: size.count)).matrix(columns: size.channels),
        logSumExp: place.input([Float](repeating: 100, count: size.rows)), shape: size.shape,
        dqkv: dqkv.matrix(columns: 3 * size.channels), context: context)
      #expect(dqkv.array().allSatisfy { $0.isFinite })
      #expect(context.scratch(0).array().contains { !$0.isNaN }, "the task used its scratch")
      #expect(context.scratch(1).array().allSatisfy { $0 == -7 }, "on \(set)")
    }
  }
}
