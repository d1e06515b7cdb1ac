import Machine
import Operators

extension Model {
  /// Computes the logits of every position and, given targets, the mean loss.
  ///
  ///     x = wte[token] + wpe[t];  for each layer: x += attproj(attention(ln1(x))),  x += fcproj(gelu(fc(ln2(x))))
  ///     logits = lnf(x)·wteᵀ;  loss = mean over B·T of −log softmax(logits)[target]
  ///
  /// - Parameters:
  ///   - inputs: (B·T), row-major, each in 0..<V.
  ///   - targets: (B·T), or nil for inference.
  ///   - batchSize, sequenceLength: B and T; T at most the model's context.
  /// - Throws: `ModelError`: sizes below 1, T too long, counts that differ from B·T, a token outside the vocabulary,
  ///   or activations that exceed memory. Nothing is computed then.
  /// - Accuracy: rule 3 of the numerical rules; `ModelTests` enforces it against float64.
  /// - Complexity: ≈ 2·B·T·(12·L·C² + V·C) + 2·B·L·C·T² FLOP; allocates tensor memory only when (B, T) grows.
  public func forward(
    _ inputs: [Int32], targets: [Int32]? = nil, batchSize: Int, sequenceLength: Int
  ) throws(ModelError) {
    try check(inputs, targets: targets, batchSize: batchSize, sequenceLength: sequenceLength)
    let acts = try prepareActivations(batchSize: batchSize, sequenceLength: sequenceLength, keeping: .all)
    context.together {
      forwardBlocks(inputs, acts)
      Linear.forward(
        acts.tensor("lnf"), weight: weights.wte, bias: nil, rows: batchSize * sequenceLength,
        inputs: configuration.channels, outputs: configuration.vocabularySize,
        rowStride: configuration.paddedVocabularySize, y: acts.tensor("logits"), context: context)
      forwardLoss(targets, acts)
    }
  }

  /// Computes the mean loss and keeps nothing else: one layer's activations, 384 rows of logits.
  ///
  /// - Parameters: as in `forward`.
  /// - Returns: the loss, the same to the bit as that of `forward`.
  /// - Throws: as `forward`.
  /// - Complexity: that of `forward`, in the memory of one layer.
  public func evaluate(
    _ inputs: [Int32], targets: [Int32], batchSize: Int, sequenceLength: Int
  ) throws(ModelError) -> Float {
    try check(inputs, targets: targets, batchSize: batchSize, sequenceLength: sequenceLength)
    let acts = try prepareActivations(batchSize: batchSize, sequenceLength: sequenceLength, keeping: .nothing)
    lastTargets = []
    var loss = Float.nan
    context.together {
      forwardBlocks(inputs, acts)
      loss = forwardHead(targets, acts)
    }
    return loss
  }

  /// Everything before the head: `lnf` of the activations is its input.
  func forwardBlocks(_ inputs: [Int32], _ acts: Activations) {
    let channels = configuration.channels
    lastInputs = inputs
    Encoder.forward(
      inputs, wte: weights.wte, wpe: weights.wpe, batchSize: acts.batchSize,
      sequenceLength: acts.sequenceLength, channels: channels, out: acts.tensor("encoded"), context: context)
    for layer in 0..<configuration.layers { forwardLayer(layer, acts) }
    LayerNorm.forward(
      stream(into: configuration.layers, acts), weight: weights.lnfw, bias: weights.lnfb, rows: inputs.count,
      channels: channels, y: acts.tensor("lnf"), mean: acts.tensor("lnf_mean"), rstd: acts.tensor("lnf_rstd"),
      context: context)
  }

  /// The residual stream that enters a layer, or after the last one the head.
  func stream(into layer: Int, _ acts: Activations) -> Tensor {
    layer == 0 ? acts.tensor("encoded") : acts.tensor("residual3", layer: layer - 1)
  }

  private func forwardLoss(_ targets: [Int32]?, _ acts: Activations) {
    lastTargets = targets ?? []
    meanLoss = nil
    guard let targets else { return }
    let losses = acts.tensor("losses")
    CrossEntropy.forward(
      acts.tensor("logits"), targets: targets, vocabularySize: configuration.vocabularySize,
      paddedVocabularySize: configuration.paddedVocabularySize, losses: losses,
      logSumExp: acts.tensor("logits_lse"), context: context)
    meanLoss = Self.mean(losses)
  }

  static func mean(_ losses: Tensor) -> Float {
    let sum = losses.withSpan { losses in losses.indices.reduce(0.0) { $0 + Double(losses[$1]) } }
    return Float(sum / Double(losses.count))
  }

  /// One block, from the stream into it to the stream into the next.
  func forwardLayer(_ layer: Int, _ acts: Activations) {
    let tensors = weights.layers[layer]
    func view(_ name: String) -> Tensor { acts.tensor(name, layer: layer) }
    let stream = stream(into: layer, acts)
    let (rows, channels) = (acts.batchSize * acts.sequenceLength, configuration.channels)

    LayerNorm.forward(
      stream, weight: tensors.ln1w, bias: tensors.ln1b, rows: rows, channels: channels, y: view("ln1"),
      mean: view("ln1_mean"), rstd: view("ln1_rstd"), context: context)
    Linear.forward(
      view("ln1"), weight: tensors.qkvw, bias: tensors.qkvb, rows: rows, inputs: channels,
      outputs: 3 * channels,
      y: view("qkv"), context: context)
    let kept = keepsAttention ? AttentionWeights(scores: view("preatt"), weights: view("att")) : nil
    Attention.forward(
      view("qkv"), shape: attentionShape(acts), out: view("atty"), logSumExp: view("att_lse"), kept: kept,
      context: context)
    Linear.forward(
      view("atty"), weight: tensors.attprojw, bias: tensors.attprojb, rows: rows, inputs: channels,
      outputs: channels, y: view("residual2"), epilogue: .add(stream), context: context)

    LayerNorm.forward(
      view("residual2"), weight: tensors.ln2w, bias: tensors.ln2b, rows: rows, channels: channels,
      y: view("ln2"),
      mean: view("ln2_mean"), rstd: view("ln2_rstd"), context: context)
    Linear.forward(
      view("ln2"), weight: tensors.fcw, bias: tensors.fcb, rows: rows, inputs: channels,
      outputs: 4 * channels,
      y: view("fch"), epilogue: .activation(activation, output: view("fch_gelu")), context: context)
    Linear.forward(
      view("fch_gelu"), weight: tensors.fcprojw, bias: tensors.fcprojb, rows: rows, inputs: 4 * channels,
      outputs: channels, y: view("residual3"), epilogue: .add(view("residual2")), context: context)
  }

  func attentionShape(_ acts: Activations) -> AttentionShape {
    AttentionShape(
      batchSize: acts.batchSize, sequenceLength: acts.sequenceLength, heads: configuration.heads,
      channels: configuration.channels)
  }

  func check(
    _ inputs: [Int32], targets: [Int32]?, batchSize: Int, sequenceLength: Int
  ) throws(ModelError) {
    guard batchSize > 0 else { throw .notPositive(name: "batch size", size: batchSize) }
    guard sequenceLength > 0 else { throw .notPositive(name: "sequence length", size: sequenceLength) }
    guard sequenceLength <= configuration.maximumSequenceLength else {
      throw .sequenceTooLong(sequenceLength: sequenceLength, maximum: configuration.maximumSequenceLength)
    }
    let (product, overflow) = batchSize.multipliedReportingOverflow(by: sequenceLength)
    let expected = overflow ? Int.max : product
    for (name, tokens) in [("inputs", inputs), ("targets", targets ?? inputs)] {
      guard tokens.count == expected else {
        throw .wrongCount(name: name, expected: expected, found: tokens.count)
      }
      let size = configuration.vocabularySize
      if let position = tokens.firstIndex(where: { $0 < 0 || Int($0) >= size }) {
        throw .tokenOutsideVocabulary(
          name: name, position: position, token: tokens[position], vocabularySize: size)
      }
    }
  }
}
