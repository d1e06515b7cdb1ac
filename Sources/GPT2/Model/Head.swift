import Machine
import Operators

/// The language model's head and the loss, a block of rows at a time: logits never exist whole.
extension Model {
  /// Rows of the activations, and where they and their logits lie.
  private struct Block {
    let rows: Range<Int>
    let targets: [Int32]
    let normalised, logits, losses, logSumExp: Tensor

    init(_ rows: Range<Int>, targets: [Int32], channels: Int, _ acts: Activations) {
      self.rows = rows
      self.targets = Array(targets[rows])
      normalised = acts.tensor("lnf").slice(rows.lowerBound * channels..<rows.upperBound * channels)
      logits = acts.tensor("logits")
      losses = acts.tensor("losses").slice(rows)
      logSumExp = acts.tensor("logits_lse").slice(rows)
    }
  }

  /// Computes each block's logits and then what `body` makes of them, the losses at least; returns their mean.
  private func lossOfBlocks(_ targets: [Int32], _ acts: Activations, _ body: (Block) -> Void) -> Float {
    for start in stride(from: 0, to: targets.count, by: Configuration.logitsRows) {
      let rows = start..<min(targets.count, start + Configuration.logitsRows)
      let block = Block(rows, targets: targets, channels: configuration.channels, acts)
      Linear.forward(
        block.normalised, weight: weights.wte, bias: nil, rows: rows.count, inputs: configuration.channels,
        outputs: configuration.vocabularySize, rowStride: configuration.paddedVocabularySize,
        y: block.logits, context: context)
      body(block)
    }
    let loss = Self.mean(acts.tensor("losses"))
    meanLoss = loss
    return loss
  }

  /// Returns the mean loss; what it computes on the way is overwritten block by block.
  func forwardHead(_ targets: [Int32], _ acts: Activations) -> Float {
    lossOfBlocks(targets, acts) { block in
      CrossEntropy.forward(
        block.logits, targets: block.targets, vocabularySize: configuration.vocabularySize,
        paddedVocabularySize: configuration.paddedVocabularySize, losses: block.losses,
        logSumExp: block.logSumExp, context: context)
    }
  }

  /// Loss and gradients in one: returns the mean loss, adds to `dwte` or overwrites it, overwrites `dnormalised`.
  func trainHead(
    _ targets: [Int32], _ acts: Activations, lossScale: Float, accumulate: Bool, dwte: Tensor,
    dnormalised: Tensor
  ) -> Float {
    let channels = configuration.channels
    if !accumulate { zeroPadding(of: dwte) }
    return lossOfBlocks(targets, acts) { block in
      CrossEntropy.forwardBackward(
        block.logits, targets: block.targets, scale: lossScale / Float(targets.count),
        vocabularySize: configuration.vocabularySize,
        paddedVocabularySize: configuration.paddedVocabularySize,
        losses: block.losses, logSumExp: block.logSumExp, context: context)
      Linear.backward(
        block.logits, x: block.normalised, weight: weights.wte, rows: block.rows.count, inputs: channels,
        outputs: configuration.vocabularySize, rowStride: configuration.paddedVocabularySize,
        accumulate: accumulate || block.rows.lowerBound > 0,
        dx: dnormalised.slice(block.rows.lowerBound * channels..<block.rows.upperBound * channels),
        dweight: dwte, dbias: nil, context: context)
    }
  }

  /// Nothing else writes the padded rows: what a user left there would outlive `zeroGradients`.
  func zeroPadding(of dwte: Tensor) {
    Residual.zero(
      dwte.slice(configuration.vocabularySize * configuration.channels..<dwte.count), context: context)
  }
}
