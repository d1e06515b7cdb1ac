import Machine
import Operators

extension Network {
  /// Adds the gradients of a forward pass's mean loss, times `lossScale`, to `gradients`.
  ///
  /// Afterwards the activation `logits` holds the gradient of the logits.
  ///
  /// - Parameters:
  ///   - pass: with targets, and with all its activations.
  ///   - lossScale: 1/n when the gradients of n batches are accumulated into one update.
  /// - Throws: `ModelError.memory`; the gradients are then as before.
  /// - Accuracy: rule 3 of Documentation/numerical-rules.md; `ModelTests` enforces it against float64.
  /// - Complexity: about twice the forward pass.
  func backward(
    _ pass: consuming ForwardPass, lossScale: Float, into gradients: Gradients, in workspace: Workspace
  ) throws(ModelError) {
    let (batch, acts) = (pass.batch, pass.activations)
    guard let targets = batch.targets else { preconditionFailure("a backward pass needs targets") }
    let scratch = try workspace.backwardScratch(for: acts)
    gradients.add { accumulate in
      context.ahead {
        backwardWholeHead(
          targets, acts, scratch, lossScale: lossScale, accumulate: accumulate,
          dwte: gradients.tensors[ParameterPart(.wte)])
        backwardBlocks(
          batch.inputs, acts, scratch, gradients.tensors, accumulate: accumulate, sink: KeepingSink())
      }
      return true
    }
  }

  /// Everything before the head, from its gradient in `dbranch`.
  ///
  /// - Parameters:
  ///   - sink: told which gradients are final, as soon as they are.
  ///   - queue: work that waits to run beside the products.
  func backwardBlocks(
    _ inputs: BoundedIntegers, _ acts: Activations, _ scratch: BackwardScratch, _ gradients: ParameterTensors,
    accumulate: Bool, sink: some GradientSink, beside queue: WorkQueue? = nil
  ) {
    // The encoder adds to the rows of the batch's tokens in the end.
    sink.areFinal(.tokens(outside: inputs))
    Residual.zero(scratch.dresidual.tensor, context: context)
    LayerNorm.backward(
      scratch.dbranch, x: stream(into: configuration.layers, acts), weight: masters[ParameterPart(.lnfw)],
      mean: acts[.lnfMean], rstd: acts[.lnfRstd], accumulate: accumulate, dx: scratch.dresidual,
      rounded: scratch.rounded?.dresidual, dweight: gradients[ParameterPart(.lnfw)],
      dbias: gradients[ParameterPart(.lnfb)], context: context)
    sink.areFinal(.lastNorm)
    for layer in (0..<configuration.layers).reversed() {
      context.section("backward, layer \(layer)")
      backwardLayer(
        layer, acts, scratch, gradients.layer(layer), accumulate: accumulate, sink: sink, beside: queue)
    }
    context.section("embeddings, backward")
    drop(scratch.dresidual, mask(.embedding, acts))
    Encoder.backward(
      scratch.dresidual, tokens: inputs, sequenceLength: acts.sequenceLength, accumulate: accumulate,
      dwte: gradients[ParameterPart(.wte)].matrix(), dwpe: gradients[ParameterPart(.wpe)].matrix(),
      context: context)
    sink.areFinal(.embeddings(inputs))
  }

  private func backwardLayer(
    _ layer: Int, _ acts: Activations, _ scratch: BackwardScratch, _ gradients: LayerTensors,
    accumulate: Bool, sink: some GradientSink, beside queue: WorkQueue?
  ) {
    let recomputation = acts.retention.recomputation
    // The forward pass has just computed the last one.
    if recomputation == .blocks, layer < configuration.layers - 1 { forwardLayer(layer, acts) }
    if recomputation == .elementwise { recomputeFeedForwardNorm(layer, acts) }
    // In bfloat16 of what was kept, so that nothing depends on what is recomputed.
    if recomputation == .elementwise || precision.pairedOrder != nil {
      activation.forward(acts[.fch, layer], y: acts[.fchGELU, layer], context: context)
    }
    backwardFeedForward(
      layer, acts, scratch, gradients, accumulate: accumulate, sink: sink, beside: queue)
    if recomputation == .elementwise { recomputeAttentionNorm(layer, acts) }
    backwardAttention(
      layer, acts, scratch, gradients, accumulate: accumulate, sink: sink, beside: queue)
  }

  private func recomputeFeedForwardNorm(_ layer: Int, _ acts: Activations) {
    let tensors = masters.layer(layer)
    LayerNorm.forward(
      acts.matrix(.residual2, layer), weight: tensors.ln2w, bias: tensors.ln2b, epsilon: epsilon,
      y: acts.matrix(.ln2, layer),
      mean: acts[.ln2Mean, layer], rstd: acts[.ln2Rstd, layer], context: context)
  }

  private func recomputeAttentionNorm(_ layer: Int, _ acts: Activations) {
    let tensors = masters.layer(layer)
    LayerNorm.forward(
      stream(into: layer, acts), weight: tensors.ln1w, bias: tensors.ln1b, epsilon: epsilon,
      y: acts.matrix(.ln1, layer),
      mean: acts[.ln1Mean, layer], rstd: acts[.ln1Rstd, layer], context: context)
  }

  private func backwardFeedForward(
    _ layer: Int, _ acts: Activations, _ scratch: BackwardScratch, _ gradients: LayerTensors,
    accumulate: Bool, sink: some GradientSink, beside queue: WorkQueue?
  ) {
    let (tensors, weights) = (masters.layer(layer), weights(layer, rows: acts.rows))
    weights.fcprojw.backward(
      branchGradient(scratch, mask(.feedForwardProjection(layer: layer), acts)),
      x: acts.matrix(.fchGELU, layer),
      accumulate: accumulate, dx: scratch.dfch,
      epilogue: .slope(activation, input: acts.matrix(.fch, layer)), rounded: scratch.rounded?.dfch,
      dweight: gradients.fcprojw.matrix(), dbias: gradients.fcprojb, context: context, beside: queue)
    sink.areFinal(.parts(layer, [.fcprojw, .fcprojb]))
    weights.fcw.backward(
      scratch.rounded?.dfch ?? scratch.dfch, x: acts.matrix(.ln2, layer), accumulate: accumulate,
      dx: scratch.dbranch, dweight: gradients.fcw.matrix(), dbias: gradients.fcb, context: context,
      beside: queue)
    sink.areFinal(.parts(layer, [.fcw, .fcb]))
    LayerNorm.backward(
      scratch.dbranch, x: acts.matrix(.residual2, layer), weight: tensors.ln2w, mean: acts[.ln2Mean, layer],
      rstd: acts[.ln2Rstd, layer], accumulate: accumulate, dx: scratch.dresidual,
      rounded: scratch.rounded?.dresidual, dweight: gradients.ln2w, dbias: gradients.ln2b, context: context)
    sink.areFinal(.parts(layer, [.ln2w, .ln2b]))
  }

  private func backwardAttention(
    _ layer: Int, _ acts: Activations, _ scratch: BackwardScratch, _ gradients: LayerTensors,
    accumulate: Bool, sink: some GradientSink, beside queue: WorkQueue?
  ) {
    let (tensors, weights) = (masters.layer(layer), weights(layer, rows: acts.rows))
    weights.attprojw.backward(
      branchGradient(scratch, mask(.attentionProjection(layer: layer), acts)),
      x: acts.matrix(.atty, layer), accumulate: accumulate, dx: scratch.dbranch,
      rounded: scratch.rounded?.datty, dweight: gradients.attprojw.matrix(), dbias: gradients.attprojb,
      context: context, beside: queue)
    sink.areFinal(.parts(layer, [.attprojw, .attprojb]))
    attendBackward(layer, acts, scratch)
    weights.qkvw.backward(
      scratch.rounded?.dqkv ?? scratch.dqkv, x: acts.matrix(.ln1, layer), accumulate: accumulate,
      dx: scratch.dbranch, dweight: gradients.qkvw.matrix(), dbias: gradients.qkvb, context: context,
      beside: queue)
    sink.areFinal(.parts(layer, [.qkvw, .qkvb]))
    LayerNorm.backward(
      scratch.dbranch, x: stream(into: layer, acts), weight: tensors.ln1w, mean: acts[.ln1Mean, layer],
      rstd: acts[.ln1Rstd, layer], accumulate: accumulate, dx: scratch.dresidual,
      // The embeddings take float32.
      rounded: layer == 0 ? nil : scratch.rounded?.dresidual, dweight: gradients.ln1w, dbias: gradients.ln1b,
      context: context)
    sink.areFinal(.parts(layer, [.ln1w, .ln1b]))
  }

  /// The gradient of `qkv` from that of `atty`.
  private func attendBackward(_ layer: Int, _ acts: Activations, _ scratch: BackwardScratch) {
    let (qkv, atty, logSumExp) = (acts.matrix(.qkv, layer), acts.matrix(.atty, layer), acts[.attLSE, layer])
    let (shape, dropout) = (attentionShape(acts), mask(.attention(layer: layer), acts))
    if let rounded = scratch.rounded {
      Attention.backward(
        rounded.datty, qkv: qkv, out: atty, logSumExp: logSumExp, shape: shape, sums: scratch.dqkv,
        dqkv: rounded.dqkv, dropout: dropout, context: context)
    } else {
      Attention.backward(
        scratch.dbranch, qkv: qkv, out: atty, logSumExp: logSumExp, shape: shape, dqkv: scratch.dqkv,
        dropout: dropout, context: context)
    }
  }
}
