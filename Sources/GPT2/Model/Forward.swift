import Machine
import Operators

/// What a forward pass leaves and a backward pass consumes.
///
/// It owns the workspace's memory until then: whoever begins another pass there gives this one up.
struct ForwardPass: ~Copyable {
  let batch: Batch
  let activations: Activations
  /// The mean over B·T; nil without targets.
  let loss: Float?
  /// The workspace's count of passes, this one included.
  let number: Int
}

extension Network {
  /// Computes the logits of every position and, given targets, the mean loss.
  ///
  ///     x = wte[token] + wpe[t];  for each layer: x += attproj(attention(ln1(x))),  x += fcproj(gelu(fc(ln2(x))))
  ///     logits = lnf(x)·wteᵀ;  loss = mean over B·T of −log softmax(logits)[target]
  ///
  /// - Parameter keepsAttention: whether the attention's scores and weights are stored, too.
  /// - Throws: `ModelError.memory`; nothing is computed then.
  /// - Accuracy: rule 3 of Documentation/numerical-rules.md; `ModelTests` enforces it against float64.
  /// - Complexity: ≈ 2·B·T·(12·L·C² + V·C) + 2·B·L·C·T² FLOP.
  func forward(
    _ batch: Batch, keepsAttention: Bool, in workspace: Workspace
  ) throws(ModelError) -> ForwardPass {
    let acts = try prepare(batch, retention: .all(attention: keepsAttention), in: workspace)
    var loss: Float?
    context.ahead {
      forwardBlocks(batch.inputs, acts)
      loss = forwardWholeHead(batch.targets, acts)
    }
    return ForwardPass(batch: batch, activations: acts, loss: loss, number: workspace.passCount)
  }

  /// Computes the mean loss and keeps nothing else: one layer's activations, 384 rows of logits.
  ///
  /// - Returns: the loss, the same to the bit as that of `forward`.
  /// - Throws: `ModelError.memory`.
  /// - Precondition: the batch has targets.
  /// - Complexity: that of `forward`, in the memory of one layer.
  func evaluate(_ batch: Batch, in workspace: Workspace) throws(ModelError) -> Float {
    mean(try losses(batch, in: workspace))
  }

  /// The loss of each position, otherwise as `evaluate`.
  ///
  /// - Returns: (B, T), a view of the workspace, valid until its next pass.
  func losses(_ batch: Batch, in workspace: Workspace) throws(ModelError) -> Tensor {
    guard let targets = batch.targets else { preconditionFailure("a loss needs targets") }
    let acts = try prepare(batch, retention: .nothing, in: workspace)
    context.ahead {
      forwardBlocks(batch.inputs, acts)
      _ = forwardHead(targets, acts)
    }
    return acts[.losses]
  }

  /// Computes the logits (B, V) that follow each sequence, and keeps nothing else.
  ///
  /// - Parameter afterLayer: called with each layer's number when its activations are there.
  /// - Returns: a view of the workspace, valid until its next pass; the same bits as in `forward`.
  /// - Throws: `ModelError.memory`.
  /// - Precondition: B ≤ 384.
  /// - Complexity: that of `forward` but for the head, which is computed for B rows instead of B·T.
  func nextLogits(
    _ batch: Batch, in workspace: Workspace,
    afterLayer: (_ layer: Int, _ acts: Activations) -> Void = { _, _ in }
  ) throws(ModelError) -> Matrix {
    let acts = try prepare(batch, retention: .nothing, in: workspace)
    var logits: Matrix?
    context.ahead {
      forwardBlocks(batch.inputs, acts) { afterLayer($0, acts) }
      logits = forwardLastHead(acts)
    }
    guard let logits else { preconditionFailure("the program ran") }
    return logits
  }

  /// Makes room for a pass and begins it.
  func prepare(
    _ batch: Batch, retention: Retention, in workspace: Workspace
  ) throws(ModelError) -> Activations {
    try reserve(rows: batch.count, backward: retention != .nothing)
    return try workspace.prepare(for: batch, retention: retention, precision)
  }

  /// Everything before the head: `lnf` of the activations is its input.
  ///
  /// - Parameters:
  ///   - update: one that is due; what each layer needs of it is done when the layer begins, the rest beside the
  ///     arithmetic of the layers before.
  ///   - afterLayer: called with each layer's number when its activations are there.
  func forwardBlocks(
    _ inputs: BoundedIntegers, _ acts: Activations, taking update: DueUpdate? = nil,
    afterLayer: (_ layer: Int) -> Void = { _ in }
  ) {
    context.section("embeddings")
    if update == nil { layOutWeights(rows: acts.rows) }
    update?.prepareEmbeddings(of: inputs, layingOut: laidOut(rows: acts.rows))
    Encoder.forward(
      inputs, wte: masters[ParameterPart(.wte)].matrix(), wpe: masters[ParameterPart(.wpe)].matrix(),
      sequenceLength: acts.sequenceLength, out: acts.matrix(.encoded), context: context)
    drop(acts.matrix(.encoded), mask(.embedding, acts))
    for layer in 0..<configuration.layers {
      context.section("forward, layer \(layer)")
      update?.prepare(layer: layer)
      forwardLayer(layer, acts, beside: update?.queue)
      afterLayer(layer)
    }
    context.section("head")
    update?.finish()
    forwardLastNorm(acts)
  }

  /// `lnf`, the input of the head, from the stream.
  func forwardLastNorm(_ acts: Activations) {
    LayerNorm.forward(
      stream(into: configuration.layers, acts), weight: masters[ParameterPart(.lnfw)],
      bias: masters[ParameterPart(.lnfb)], epsilon: epsilon, y: acts.matrix(.lnf), mean: acts[.lnfMean],
      rstd: acts[.lnfRstd],
      context: context)
  }

  /// The residual stream that enters a layer, or after the last one the head.
  func stream(into layer: Int, _ acts: Activations) -> Matrix {
    layer == 0 ? acts.matrix(.encoded) : acts.matrix(.residual3, layer - 1)
  }

  /// One block, from the stream into it to the stream into the next.
  func forwardLayer(_ layer: Int, _ acts: Activations, beside queue: WorkQueue? = nil) {
    forwardQueries(layer, acts, beside: queue)
    attend(layer, acts)
    forwardAfterAttention(layer, acts, beside: queue)
  }

  /// Queries, keys and values: `qkv` from the stream into a layer.
  func forwardQueries(_ layer: Int, _ acts: Activations, beside queue: WorkQueue? = nil) {
    let (tensors, qkv) = (masters.layer(layer), acts.matrix(.qkv, layer))
    LayerNorm.forward(
      stream(into: layer, acts), weight: tensors.ln1w, bias: tensors.ln1b, epsilon: epsilon,
      y: acts.matrix(.ln1, layer), mean: acts[.ln1Mean, layer], rstd: acts[.ln1Rstd, layer], context: context)
    let sums = acts.sums(columns: qkv.columns)
    weights(layer, rows: acts.rows).qkvw.forward(
      acts.matrix(.ln1, layer), bias: tensors.qkvb, y: sums ?? qkv, rounded: sums.map { _ in qkv },
      context: context, beside: queue)
  }

  /// The stream into the next layer from `atty`.
  func forwardAfterAttention(_ layer: Int, _ acts: Activations, beside queue: WorkQueue? = nil) {
    let (tensors, weights) = (masters.layer(layer), weights(layer, rows: acts.rows))
    addBranch(
      acts.matrix(.atty, layer), weights.attprojw, bias: tensors.attprojb, to: stream(into: layer, acts),
      y: acts.matrix(.residual2, layer), mask(.attentionProjection(layer: layer), acts), beside: queue)

    LayerNorm.forward(
      acts.matrix(.residual2, layer), weight: tensors.ln2w, bias: tensors.ln2b, epsilon: epsilon,
      y: acts.matrix(.ln2, layer),
      mean: acts[.ln2Mean, layer], rstd: acts[.ln2Rstd, layer], context: context)
    let fch = acts.matrix(.fch, layer)
    let sums = acts.sums(columns: fch.columns)
    weights.fcw.forward(
      acts.matrix(.ln2, layer), bias: tensors.fcb, y: sums ?? fch,
      epilogue: .activation(activation, output: acts.matrix(.fchGELU, layer)), rounded: sums.map { _ in fch },
      context: context, beside: queue)
    addBranch(
      acts.matrix(.fchGELU, layer), weights.fcprojw, bias: tensors.fcprojb,
      to: acts.matrix(.residual2, layer),
      y: acts.matrix(.residual3, layer), mask(.feedForwardProjection(layer: layer), acts), beside: queue)
  }

  /// `atty` from `qkv`.
  private func attend(_ layer: Int, _ acts: Activations) {
    let shape = attentionShape(acts)
    let (qkv, atty, logSumExp) = (acts.matrix(.qkv, layer), acts.matrix(.atty, layer), acts[.attLSE, layer])
    let kept =
      acts.retention.storesAttention
      ? AttentionWeights(scores: acts[.preatt, layer], weights: acts[.att, layer]) : nil
    let dropout = mask(.attention(layer: layer), acts)
    if acts.precision.pairedOrder != nil {
      // What atty is added up in is about to be overwritten.
      Attention.forward(
        qkv, shape: shape, sums: acts.matrix(.residual2, layer), out: atty, logSumExp: logSumExp, kept: kept,
        dropout: dropout, context: context)
    } else {
      Attention.forward(
        qkv, shape: shape, out: atty, logSumExp: logSumExp, kept: kept, dropout: dropout, context: context)
    }
  }

  func attentionShape(_ acts: Activations) -> AttentionShape {
    configuration.attention(batchSize: acts.batchSize, sequenceLength: acts.sequenceLength)
  }
}

extension Activations {
  /// A tensor of rows of the last dimension.
  func matrix(_ activation: ActivationTensor) -> Matrix { self[activation].matrix() }

  /// The same of a layer's.
  func matrix(_ activation: ActivationTensor, _ layer: Int) -> Matrix { self[activation, layer].matrix() }
}
