import Machine
import Operators
import Reference
import TestSupport
import Testing

/// Attention whose weights are dropped: against float64 with the same masks within the oracle's bounds, and in bfloat16
/// the bits of plain loops, on every instruction set.
@Suite struct AttentionDropoutTests {
  private static let sizes =
    AttentionSize.ragged
    + [(1, 3, 1, 16), (1, 13, 2, 63), (1, 129, 2, 63), (2, 259, 1, 16)].map {
      AttentionSize(batchSize: $0.0, sequenceLength: $0.1, heads: $0.2, headSize: $0.3)
    }
  private static let site = 9
  private static let operandError = 0x1p-8

  /// Of one pass: the mask as kernels take it, and as numbers.
  private struct Masks {
    let dropout: DropoutMask
    let float: [Float]
    var double: [Double] { float.map(Double.init) }

    init(_ size: AttentionSize, probability: Double) throws {
      let dropout = try #require(Dropout(probability: probability, seed: 77, pass: 3))
      self.dropout = dropout.mask(UInt32(site))
      float = ReferenceDropout(threshold: dropout.threshold, seed: 77, pass: 3).attentionMask(
        site: site, batchSize: size.batchSize, sequenceLength: size.sequenceLength, heads: size.heads)
    }
  }

  private func sharedCount(_ size: AttentionSize) -> Int {
    max(1, Attention.sharedScratchCount(shape: size.shape))
  }

  @Test(arguments: sizes) func forward(_ size: AttentionSize) throws {
    let (qkv, masks) = (size.qkv(seed: 15), try Masks(size, probability: 0.2))
    let results = try everywhere(sequenceLength: size.sequenceLength) { place in
      let (out, logSumExp) = (try place.output(size.count), try place.output(size.rows))
      try Attention.forward(
        place.input(qkv).matrix(columns: 3 * size.channels), shape: size.shape,
        out: out.matrix(columns: size.channels), logSumExp: logSumExp, dropout: masks.dropout,
        context: place.context)
      return ["out": out.array(), "logSumExp": logSumExp.array()]
    }
    let exact = AttentionOracle(size, qkv, mask: masks.double)
    for (set, outputs) in results {
      expect(outputs["logSumExp"], near: exact.logSumExp, within: exact.logSumExpBound, "log Σ exp on \(set)")
      expect(outputs["out"], near: exact.kept.output, within: exact.outBound, "out on \(set)")
    }
  }

  @Test(arguments: sizes) func backward(_ size: AttentionSize) throws {
    let (qkv, masks) = (size.qkv(seed: 16), try Masks(size, probability: 0.3))
    var random = TestRandom(seed: 17)
    let dout: [Float] = random.normal(size.count)
    let exact = AttentionOracle(size, qkv, mask: masks.double)
    let results = try everywhere(sequenceLength: size.sequenceLength, sharedCount: sharedCount(size)) {
      place in
      let dqkv = try place.output(qkv.count)
      try Attention.backward(
        place.input(dout).matrix(columns: size.channels),
        qkv: place.input(qkv).matrix(columns: 3 * size.channels),
        out: place.input(exact.kept.output.map { Float($0) }).matrix(columns: size.channels),
        logSumExp: place.input(exact.logSumExp.map { Float($0) }), shape: size.shape,
        dqkv: dqkv.matrix(columns: 3 * size.channels), dropout: masks.dropout, context: place.context)
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

  @Test(arguments: sizes) func pairedForward(_ size: AttentionSize) throws {
    let qkv = size.qkv(seed: 15).map(ReferencePairs.operand)
    let masks = try Masks(size, probability: 0.2)
    let results = try everywhere(sequenceLength: size.sequenceLength, withoutMatrixUnit: true) { place in
      let (out, logSumExp) = (try place.pairedOutput(size.count), try place.output(size.rows))
      try Attention.forward(
        place.operand(qkv, columns: 3 * size.channels), shape: size.shape,
        sums: place.output(size.count).matrix(columns: size.channels),
        out: out.matrix(columns: size.channels), logSumExp: logSumExp, dropout: masks.dropout,
        context: place.context)
      return ["out": try place.expanded(out), "logSumExp": logSumExp.array()]
    }
    let plain = ReferenceAttention.pairedForward(qkv, size.reference, mask: masks.float)
    let exact = AttentionOracle(size, qkv, operandError: Self.operandError, mask: masks.double)
    for (set, outputs) in results {
      expect(outputs["out"], equals: plain.output, "out on \(set)")
      expect(outputs["logSumExp"], equals: plain.logSumExp, "log Σ exp on \(set)")
      expect(outputs["out"], near: exact.kept.output, within: exact.outBound, "out on \(set)")
    }
  }

  @Test(arguments: sizes) func pairedBackward(_ size: AttentionSize) throws {
    let (qkv, masks) = (
      size.qkv(seed: 16).map(ReferencePairs.operand), try Masks(size, probability: 0.3)
    )
    var random = TestRandom(seed: 17)
    let normal: [Float] = random.normal(size.count)
    let dout = normal.map(ReferencePairs.operand)
    let exact = AttentionOracle(size, qkv, operandError: Self.operandError, mask: masks.double)
    let (out, logSumExp) = (exact.kept.output.map { Float($0) }, exact.logSumExp.map { Float($0) })
    let results = try everywhere(
      sequenceLength: size.sequenceLength, sharedCount: sharedCount(size), withoutMatrixUnit: true
    ) { place in
      let dqkv = try place.pairedOutput(qkv.count)
      try Attention.backward(
        place.operand(dout, columns: size.channels), qkv: place.operand(qkv, columns: 3 * size.channels),
        out: place.operand(out, columns: size.channels), logSumExp: place.input(logSumExp), shape: size.shape,
        sums: place.output(qkv.count).matrix(columns: 3 * size.channels),
        dqkv: dqkv.matrix(columns: 3 * size.channels), dropout: masks.dropout, context: place.context)
      return ["dqkv": try place.expanded(dqkv)]
    }
    let plain = ReferenceAttention.pairedBackward(
      dout, qkv: qkv, output: out, logSumExp: logSumExp, size.reference, mask: masks.float)
    let expected = ReferenceAttention.backward(
      doubles(dout), qkv: doubles(qkv), kept: exact.kept, batchSize: size.batchSize,
      sequenceLength: size.sequenceLength, channels: size.channels, heads: size.heads)
    let bounds = exact.gradientBound(dout, expected)
    for (set, outputs) in results {
      expect(outputs["dqkv"], equals: plain, "dqkv on \(set)")
      expect(outputs["dqkv"], near: expected, within: bounds, "dqkv on \(set)")
    }
  }
}
