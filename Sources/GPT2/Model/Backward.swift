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
    let (rows, channels) = (acts.batchSize * acts.sequenceLength, configuration.channels)
    let (dresidual, dbranch) = (scratch.tensor("dresidual"), scratch.tensor("dbranch"))

    backwardHead(
      acts, lossScale: lossScale, accumulate: accumulate, dwte: gradients.wte, dnormalised: dbranch)
    Residual.zero(dresidual, context: context)
    let last = configuration.layers - 1
    LayerNorm.backward(
      dbranch, x: acts.tensor("residual3").layer(last), weight: weights.lnfw, mean: acts.tensor("lnf_mean"),
      rstd: acts.tensor("lnf_rstd"), rows: rows, channels: channels, accumulate: accumulate, dx: dresidual,
      dweight: gradients.lnfw, dbias: gradients.lnfb, context: context)
    for layer in stride(from: last, through: 0, by: -1) {
      backwardFeedForward(layer, acts, scratch, gradients.layers[layer], accumulate: accumulate)
      backwardAttention(layer, acts, scratch, gradients.layers[layer], accumulate: accumulate)
    }
    Encoder.backward(
      dresidual, tokens: lastInputs, batchSize: acts.batchSize, sequenceLength: acts.sequenceLength,
      channels: channels, accumulate: accumulate, dwte: gradients.wte, dwpe: gradients.wpe, context: context)
    gradientsAreZero = false
    hasGradients = true
    lastTargets = []
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
    if !accumulate {
      // Nothing else writes the padded rows: what a user left there would outlive `zeroGradients`.
      let real = configuration.vocabularySize * configuration.channels
      Residual.zero(dwte.slice(real..<dwte.count), context: context)
    }
  }

  private func backwardFeedForward(
    _ layer: Int, _ acts: Activations, _ scratch: Activations, _ gradients: LayerTensors, accumulate: Bool
  ) {
    let tensors = weights.layers[layer]
    func view(_ name: String) -> Tensor { acts.tensor(name).layer(layer) }
    let (rows, channels) = (acts.batchSize * acts.sequenceLength, configuration.channels)
    let (dresidual, dbranch) = (scratch.tensor("dresidual"), scratch.tensor("dbranch"))
    let dhidden = scratch.tensor("dfch")
    Linear.backward(
      dresidual, x: view("fch_gelu"), weight: tensors.fcprojw, rows: rows, inputs: 4 * channels,
      outputs: channels,
      accumulate: accumulate, dx: dhidden, dweight: gradients.fcprojw, dbias: gradients.fcprojb,
      context: context)
    activation.backward(dhidden, x: view("fch"), count: rows * 4 * channels, dx: dhidden, context: context)
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
    func view(_ name: String) -> Tensor { acts.tensor(name).layer(layer) }
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
    let stream = layer == 0 ? acts.tensor("encoded") : acts.tensor("residual3").layer(layer - 1)
    LayerNorm.backward(
      dbranch, x: stream, weight: tensors.ln1w, mean: view("ln1_mean"), rstd: view("ln1_rstd"), rows: rows,
      channels: channels, accumulate: accumulate, dx: dresidual, dweight: gradients.ln1w,
      dbias: gradients.ln1b,
      context: context)
  }
}
