import Machine
import Operators

/// The language model's head and the loss.
extension Network {
  /// Rows of logits: V of Vp columns.
  private func logits(_ acts: Activations, rows: Int) -> Matrix {
    Matrix(
      acts[.logits], rows: rows, columns: configuration.vocabularySize,
      rowStride: configuration.paddedVocabularySize)
  }

  /// The logits (B, V) of each sequence's last position.
  func forwardLastHead(_ acts: Activations) -> Matrix {
    let (length, channels) = (acts.sequenceLength, configuration.channels)
    let last = Matrix(
      acts[.lnf], rows: acts.batchSize, columns: channels, rowStride: length * channels,
      offset: (length - 1) * channels)
    let logits = logits(acts, rows: acts.batchSize)
    headWeight(rows: acts.rows).forward(last, bias: nil, y: logits, context: context)
    return logits
  }

  /// Keeps all logits; returns the mean loss where there are targets.
  func forwardWholeHead(_ targets: BoundedIntegers?, _ acts: Activations) -> Float? {
    let logits = logits(acts, rows: acts.rows)
    headWeight(rows: acts.rows).forward(acts.matrix(.lnf), bias: nil, y: logits, context: context)
    guard let targets else { return nil }
    CrossEntropy.forward(
      logits, targets: targets, losses: acts[.losses], logSumExp: acts[.logitsLSE], context: context)
    return mean(acts[.losses])
  }

  /// The gradients of the head from whole logits, which receive their own gradient.
  ///
  /// In the same blocks of rows as `trainHead`: they are chains of sums.
  func backwardWholeHead(
    _ targets: BoundedIntegers, _ acts: Activations, _ scratch: BackwardScratch, lossScale: Float,
    accumulate: Bool, dwte: Tensor
  ) {
    let logits = logits(acts, rows: acts.rows)
    CrossEntropy.backward(
      logits, targets: targets, logSumExp: acts[.logitsLSE], scale: lossScale / Float(acts.rows),
      dlogits: logits,
      context: context)
    for rows in Self.blocks(of: acts.rows) {
      backwardProduct(
        operand(logits[rows], in: scratch.rounded?.dlogits?[0..<rows.count]), acts, rows, scratch,
        accumulate: accumulate || rows.lowerBound > 0, dwte: dwte)
    }
    if !accumulate { zeroPadding(of: dwte) }
  }

  // MARK: - A block of rows at a time: logits never exist whole

  /// Rows of the activations, and where they and their logits lie.
  private struct Block {
    let rows: Range<Int>
    let targets: BoundedIntegers
    let normalised, logits: Matrix
    /// As the products back take it: the logits themselves, or in bfloat16 each row where its logits begin.
    let dlogits: Matrix
    let losses, logSumExp: Tensor
  }

  /// Computes each block's logits and then what `body` makes of them, the losses at least; returns their mean.
  private func lossOfBlocks(
    _ targets: BoundedIntegers, _ acts: Activations, _ body: (Block) -> Void
  ) -> Float {
    for rows in Self.blocks(of: targets.count) {
      let logits = logits(acts, rows: rows.count)
      let block = Block(
        rows: rows, targets: targets[rows], normalised: acts.matrix(.lnf)[rows], logits: logits,
        dlogits: precision.pairedOrder == nil ? logits : logits.halves, losses: acts[.losses].slice(rows),
        logSumExp: acts[.logitsLSE].slice(rows))
      headWeight(rows: acts.rows).forward(block.normalised, bias: nil, y: block.logits, context: context)
      body(block)
    }
    return mean(acts[.losses])
  }

  /// Returns the mean loss; what it computes on the way is overwritten block by block.
  func forwardHead(_ targets: BoundedIntegers, _ acts: Activations) -> Float {
    lossOfBlocks(targets, acts) { block in
      CrossEntropy.forward(
        block.logits, targets: block.targets, losses: block.losses, logSumExp: block.logSumExp,
        context: context)
    }
  }

  /// Loss and gradients in one: returns the mean loss, adds to `dwte` or overwrites it, overwrites `dbranch`.
  func trainHead(
    _ targets: BoundedIntegers, _ acts: Activations, _ scratch: BackwardScratch, lossScale: Float,
    accumulate: Bool, dwte: Tensor
  ) -> Float {
    if !accumulate { zeroPadding(of: dwte) }
    return lossOfBlocks(targets, acts) { block in
      CrossEntropy.forwardBackward(
        block.logits, targets: block.targets, scale: lossScale / Float(targets.count), losses: block.losses,
        logSumExp: block.logSumExp, dlogits: block.dlogits, context: context)
      backwardProduct(
        block.dlogits, acts, block.rows, scratch, accumulate: accumulate || block.rows.lowerBound > 0,
        dwte: dwte)
    }
  }

  /// The rows that are summed in one piece.
  private static func blocks(of count: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: ActivationTensor.blockOfLogits).map {
      $0..<min(count, $0 + ActivationTensor.blockOfLogits)
    }
  }

  /// From the gradient of a block of logits those of its product: `dbranch[rows]` is overwritten.
  private func backwardProduct(
    _ dlogits: Matrix, _ acts: Activations, _ rows: Range<Int>, _ scratch: BackwardScratch, accumulate: Bool,
    dwte: Tensor
  ) {
    headWeight(rows: acts.rows).backward(
      dlogits, x: acts.matrix(.lnf)[rows],
      accumulate: accumulate, dx: scratch.dbranch[rows], dweight: gradient(dwte), dbias: nil,
      context: context)
  }

  /// The rows of wte's gradient that the head has.
  private func gradient(_ dwte: Tensor) -> Matrix {
    Matrix(dwte, rows: configuration.vocabularySize, columns: configuration.channels)
  }

  /// Nothing else writes the padded rows: what a user left there would outlive `zeroGradients`.
  private func zeroPadding(of dwte: Tensor) {
    Residual.zero(
      dwte.slice(configuration.vocabularySize * configuration.channels..<dwte.count), context: context)
  }

  func mean(_ losses: Tensor) -> Float {
    context.wait()
    let sum = losses.withSpan { losses in losses.indices.reduce(0.0) { $0 + Double(losses[$1]) } }
    return Float(sum / Double(losses.count))
  }
}

extension Matrix {
  /// As many numbers in bfloat16, each row in the first half of this one's memory.
  fileprivate var halves: Matrix {
    Matrix(
      tensor.reinterpreted(as: .bfloat16, shape: [2 * tensor.count]), rows: rows, columns: columns,
      rowStride: 2 * rowStride, offset: 2 * offset)
  }
}
