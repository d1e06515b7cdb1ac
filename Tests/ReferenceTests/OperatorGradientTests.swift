import Reference
import TestSupport
import Testing

/// Every backward pass against central differences of its forward pass (see `differenceTolerance`). Gradients
/// that accumulate start from ones, so that overwriting them fails too.
@Suite struct OperatorGradientTests {
  @Test func linear() throws {
    let (R, K, N) = (3, 5, 4)
    var random = TestRandom(seed: 1)
    let x: [Double] = random.normal(R * K)
    let weight: [Double] = random.normal(N * K)
    let bias: [Double] = random.normal(N)
    let dout: [Double] = random.normal(R * N)
    func loss(_ x: [Double], _ weight: [Double], _ bias: [Double]) -> Double {
      dot(
        ReferenceLinear.forward(x, weight: weight, bias: bias, rows: R, inputChannels: K, outputChannels: N),
        dout)
    }
    var dweight = [Double](repeating: 1, count: N * K)
    var dbias = [Double](repeating: 1, count: N)
    let dinput = ReferenceLinear.backward(
      dout, input: x, weight: weight, rows: R, inputChannels: K, outputChannels: N, dweight: &dweight,
      dbias: &dbias)
    try expectGradient(dinput, of: { loss($0, weight, bias) }, at: x, "dinput")
    try expectGradient(dweight.map { $0 - 1 }, of: { loss(x, $0, bias) }, at: weight, "dweight")
    try expectGradient(dbias.map { $0 - 1 }, of: { loss(x, weight, $0) }, at: bias, "dbias")
  }

  @Test func layerNorm() throws {
    let (R, C) = (3, 7)
    var random = TestRandom(seed: 2)
    let x: [Double] = random.normal(R * C, deviation: 2, mean: 1)
    let weight: [Double] = random.normal(C, mean: 1)
    let bias: [Double] = random.normal(C)
    let dout: [Double] = random.normal(R * C)
    func loss(_ x: [Double], _ weight: [Double], _ bias: [Double]) -> Double {
      dot(ReferenceLayerNorm.forward(x, weight: weight, bias: bias, rows: R, channels: C).output, dout)
    }
    let kept = ReferenceLayerNorm.forward(x, weight: weight, bias: bias, rows: R, channels: C)
    var dweight = [Double](repeating: 1, count: C)
    var dbias = [Double](repeating: 1, count: C)
    let dinput = ReferenceLayerNorm.backward(
      dout, input: x, weight: weight, mean: kept.mean, rstd: kept.rstd, rows: R, channels: C,
      dweight: &dweight, dbias: &dbias)
    try expectGradient(dinput, of: { loss($0, weight, bias) }, at: x, "dinput")
    try expectGradient(dweight.map { $0 - 1 }, of: { loss(x, $0, bias) }, at: weight, "dweight")
    try expectGradient(dbias.map { $0 - 1 }, of: { loss(x, weight, $0) }, at: bias, "dbias")
  }

  @Test(arguments: ReferenceGELU.allCases) func gelu(activation: ReferenceGELU) throws {
    // From −4 to 4, past the bend and into both tails.
    let x = (0...64).map { Double($0) / 8 - 4 }
    var random = TestRandom(seed: 3)
    let dout: [Double] = random.uniform(x.count)
    let dinput = activation.backward(dout, input: x)
    try expectGradient(dinput, of: { dot(activation.forward($0), dout) }, at: x, "dinput")
  }

  @Test(arguments: [1, 2, 3]) func attention(heads: Int) throws {
    let (B, T, C) = (2, 5, 6)
    var random = TestRandom(seed: 4)
    let qkv: [Double] = random.normal(B * T * 3 * C)
    let dout: [Double] = random.normal(B * T * C)
    func forward(_ qkv: [Double]) -> ReferenceAttention.Output<Double> {
      ReferenceAttention.forward(qkv, batchSize: B, sequenceLength: T, channels: C, heads: heads)
    }
    let dqkv = ReferenceAttention.backward(
      dout, qkv: qkv, kept: forward(qkv), batchSize: B, sequenceLength: T, channels: C,
      heads: heads)
    try expectGradient(dqkv, of: { dot(forward($0).output, dout) }, at: qkv, "dqkv")
  }

  /// A third of the weights dropped.
  @Test(arguments: [1, 3]) func droppedAttention(heads: Int) throws {
    let (B, T, C) = (2, 5, 6)
    var random = TestRandom(seed: 14)
    let qkv: [Double] = random.normal(B * T * 3 * C)
    let dout: [Double] = random.normal(B * T * C)
    let mask: [Double] = ReferenceDropout(threshold: .max / 3, seed: 5, pass: 0).attentionMask(
      site: 1, batchSize: B, sequenceLength: T, heads: heads)
    #expect(mask.contains(0) && mask.contains { $0 > 1.4 })
    func forward(_ qkv: [Double]) -> ReferenceAttention.Output<Double> {
      ReferenceAttention.forward(
        qkv, batchSize: B, sequenceLength: T, channels: C, heads: heads, mask: mask)
    }
    let dqkv = ReferenceAttention.backward(
      dout, qkv: qkv, kept: forward(qkv), batchSize: B, sequenceLength: T, channels: C, heads: heads)
    try expectGradient(dqkv, of: { dot(forward($0).output, dout) }, at: qkv, "dqkv")
  }

  @Test func residual() throws {
    var random = TestRandom(seed: 5)
    let a: [Double] = random.normal(6)
    let b: [Double] = random.normal(6)
    let dout: [Double] = random.normal(6)
    let (da, db) = ReferenceResidual.backward(dout)
    try expectGradient(da, of: { dot(ReferenceResidual.forward($0, b), dout) }, at: a, "first")
    try expectGradient(db, of: { dot(ReferenceResidual.forward(a, $0), dout) }, at: b, "second")
  }

  @Test func encoder() throws {
    let (B, T, C) = (2, 3, 4)
    // Token 2 appears three times and 3 never; position 3 is not used.
    let tokens: [Int32] = [2, 0, 2, 1, 2, 4]
    var random = TestRandom(seed: 6)
    let wte: [Double] = random.normal(5 * C)
    let wpe: [Double] = random.normal(4 * C)
    let dout: [Double] = random.normal(B * T * C)
    func loss(_ wte: [Double], _ wpe: [Double]) -> Double {
      dot(
        ReferenceEncoder.forward(
          tokens, wte: wte, wpe: wpe, batchSize: B, sequenceLength: T, channels: C), dout)
    }
    var dwte = [Double](repeating: 1, count: wte.count)
    var dwpe = [Double](repeating: 1, count: wpe.count)
    ReferenceEncoder.backward(
      dout, tokens: tokens, batchSize: B, sequenceLength: T, channels: C, dwte: &dwte, dwpe: &dwpe)
    try expectGradient(dwte.map { $0 - 1 }, of: { loss($0, wpe) }, at: wte, "dwte")
    try expectGradient(dwpe.map { $0 - 1 }, of: { loss(wte, $0) }, at: wpe, "dwpe")
  }

  @Test func crossEntropy() throws {
    let (R, V, Vp) = (3, 5, 8)
    let targets: [Int32] = [4, 0, 2]
    var random = TestRandom(seed: 7)
    let logits: [Double] = random.normal(R * Vp, deviation: 2)
    func forward(_ logits: [Double]) -> ReferenceCrossEntropy.Output<Double> {
      ReferenceCrossEntropy.forward(logits, targets: targets, rows: R, vocabulary: V, paddedVocabulary: Vp)
    }
    let dlogits = ReferenceCrossEntropy.backward(
      forward(logits).probabilities, targets: targets, rows: R, vocabulary: V, paddedVocabulary: Vp)
    try expectGradient(dlogits, of: { forward($0).loss }, at: logits, "dlogits")
    for row in 0..<R {
      #expect(dlogits[row * Vp + V..<(row + 1) * Vp].allSatisfy { $0 == 0 }, "padded columns")
    }
  }
}
