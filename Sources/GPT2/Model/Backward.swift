import Machine
import Operators

extension Model {
  /// Adds the gradients of the last forward pass's mean loss, times `lossScale`, to `gradients`.
  ///
  /// Afterwards the activation `logits` holds the gradient of the logits.
  ///
  /// - Parameter lossScale: 1/n when the gradients of n batches are accumulated into one update.
  /// - Throws: `ModelError.noForwardPass` unless the last forward pass had targets and is new; `ModelError.memory`.
  /// - Accuracy: rule 3 of the numerical rules; `ModelTests` enforces it against float64.
  /// - Complexity: about twice the forward pass.
  public func backward(lossScale: Float = 1) throws(ModelError) {
    guard let acts = activations, !lastTargets.isEmpty else { throw .noForwardPass }
    let scratch = try prepareBackward(batchSize: acts.batchSize, sequenceLength: acts.sequenceLength)
    let gradients = ParameterTensors(try gradientMemory(), configuration: configuration)
    let accumulate = !gradientsAreZero
    context.together {
      backwardHead(
        acts, lossScale: lossScale, accumulate: accumulate, dwte: gradients.wte,
        dnormalised: scratch.tensor("dbranch"))
      backwardBlocks(acts, scratch, gradients, accumulate: accumulate)
    }
    gradientsAreZero = false
    hasGradients = true
    lastTargets = []
  }

  /// Everything before the head, from its gradient in `dbranch`.
  ///
  /// - Parameters:
  ///   - recomputation: what the forward pass did not keep.
  ///   - finished: called with each layer whose gradients are final.
  func backwardBlocks(
    _ acts: Activations, _ scratch: Activations, _ gradients: ParameterTensors, accumulate: Bool,
    recomputation: Recomputation = .none, finished: (_ layer: Int) -> Void = { _ in }
  ) {
    let (rows, channels) = (acts.batchSize * acts.sequenceLength, configuration.channels)
    let dresidual = scratch.tensor("dresidual")
    Residual.zero(dresidual, context: context)
    LayerNorm.backward(
      scratch.tensor("dbranch"), x: stream(into: configuration.layers, acts), weight: weights.lnfw,
      mean: acts.tensor("lnf_mean"), rstd: acts.tensor("lnf_rstd"), rows: rows, channels: channels,
      accumulate: accumulate, dx: dresidual, dweight: gradients.lnfw, dbias: gradients.lnfb, context: context)
    for layer in (0..<configuration.layers).reversed() {
      // The forward pass has just computed the last one.
      if recomputation == .blocks, layer < configuration.layers - 1 { forwardLayer(layer, acts) }
      if recomputation == .elementwise { recomputeFeedForward(layer, acts) }
      backwardFeedForward(layer, acts, scratch, gradients.layers[layer], accumulate: accumulate)
      if recomputation == .elementwise { recomputeAttentionNorm(layer, acts) }
      backwardAttention(layer, acts, scratch, gradients.layers[layer], accumulate: accumulate)
      finished(layer)
    }
    Encoder.backward(
      dresidual, tokens: lastInputs, batchSize: acts.batchSize, sequenceLength: acts.sequenceLength,
      channels: channels, accumulate: accumulate, dwte: gradients.wte, dwpe: gradients.wpe, context: context)
  }

  private func recomputeFeedForward(_ layer: Int, _ acts: Activations) {
    let tensors = weights.layers[layer]
    func view(_ name: String) -> Tensor { acts.tensor(name, layer: layer) }
    let (rows, channels) = (acts.batchSize * acts.sequenceLength, configuration.channels)
    activation.forward(view("fch"), count: rows * 4 * channels, y: view("fch_gelu"), context: context)
    LayerNorm.forward(
      view("residual2"), weight: tensors.ln2w, bias: tensors.ln2b, rows: rows, channels: channels,
      y: view("ln2"), mean: view("ln2_mean"), rstd: view("ln2_rstd"), context: context)
  }

  private func recomputeAttentionNorm(_ layer: Int, _ acts: Activations) {
    let tensors = weights.layers[layer]
    func view(_ name: String) -> Tensor { acts.tensor(name, layer: layer) }
    LayerNorm.forward(
      stream(into: layer, acts), weight: tensors.ln1w, bias: tensors.ln1b,
      rows: acts.batchSize * acts.sequenceLength, channels: configuration.channels, y: view("ln1"),
      mean: view("ln1_mean"), rstd: view("ln1_rstd"), context: context)
  }

  private func backwardHead(
    _ acts: Activations, lossScale: Float, accumulate: Bool, dwte: Tensor, dnormalised: Tensor
  ) {
    let rows = acts.batchSize * acts.sequenceLength
    let logits = acts.tensor("logits")
    CrossEntropy.backward(
      logits, targets: lastTargets, logSumExp: acts.tensor("logits_lse"), scale: lossScale / Float(rows),
      vocabularySize: configuration.vocabularySize, paddedVocabularySize: configuration.paddedVocabularySize,
      dlogits: logits, context: context)
    Linear.backward(
      logits, x: acts.tensor("lnf"), weight: weights.wte, rows: rows, inputs: configuration.channels,
      outputs: configuration.vocabularySize, rowStride: configuration.paddedVocabularySize,
      accumulate: accumulate,
      dx: dnormalised, dweight: dwte, dbias: nil, context: context)
    if !accumulate { zeroPadding(of: dwte) }
  }

  private func backwardFeedForward(
    _ layer: Int, _ acts: Activations, _ scratch: Activations, _ gradients: LayerTensors, accumulate: Bool
  ) {
    let tensors = weights.layers[layer]
    func view(_ name: String) -> Tensor { acts.tensor(name, layer: layer) }
    let (rows, channels) = (acts.batchSize * acts.sequenceLength, configuration.channels)
    let (dresidual, dbranch) = (scratch.tensor("dresidual"), scratch.tensor("dbranch"))
    let dhidden = scratch.tensor("dfch")
    Linear.backward(
      dresidual, x: view("fch_gelu"), weight: tensors.fcprojw, rows: rows, inputs: 4 * channels,
      outputs: channels,
      accumulate: accumulate, dx: dhidden, epilogue: .slope(activation, input: view("fch")),
      dweight: gradients.fcprojw, dbias: gradients.fcprojb, context: context)
    Linear.backward(
      dhidden, x: view("ln2"), weight: tensors.fcw, rows: rows, inputs: channels, outputs: 4 * channels,
      accumulate: accumulate, dx: dbranch, dweight: gradients.fcw, dbias: gradients.fcb, context: context)
    LayerNorm.backward(
      dbranch, x: view("residual2"), weight: tensors.ln2w, mean: view("ln2_mean"), rstd: view("ln2_rstd"),
      rows: rows, channels: channels, accumulate: accumulate, dx: dresidual, dweight: gradients.ln2w,
      dbias: gradients.ln2b, context: context)
  }

  private func backwardAttention(
    _ layer: Int, _ acts: Activations, _ scratch: Activations, _ gradients: LayerTensors, accumulate: Bool
  ) {
    let tensors = weights.layers[layer]
    func view(_ name: String) -> Tensor { acts.tensor(name, layer: layer) }
    let (rows, channels) = (acts.batchSize * acts.sequenceLength, configuration.channels)
    let (dresidual, dbranch) = (scratch.tensor("dresidual"), scratch.tensor("dbranch"))
    let dqkv = scratch.tensor("dqkv")
    Linear.backward(
      dresidual, x: view("atty"), weight: tensors.attprojw, rows: rows, inputs: channels, outputs: channels,
      accumulate: accumulate, dx: dbranch, dweight: gradients.attprojw, dbias: gradients.attprojb,
      context: context)
    Attention.backward(
      dbranch, qkv: view("qkv"), out: view("atty"), logSumExp: view("att_lse"), shape: attentionShape(acts),
      dqkv: dqkv, context: context)
    Linear.backward(
      dqkv, x: view("ln1"), weight: tensors.qkvw, rows: rows, inputs: channels, outputs: 3 * channels,
      accumulate: accumulate, dx: dbranch, dweight: gradients.qkvw, dbias: gradients.qkvb, context: context)
    LayerNorm.backward(
      dbranch, x: stream(into: layer, acts), weight: tensors.ln1w, mean: view("ln1_mean"),
      rstd: view("ln1_rstd"), rows: rows,
      channels: channels, accumulate: accumulate, dx: dresidual, dweight: gradients.ln1w,
      dbias: gradients.ln1b,
      context: context)
  }
}
