// The operators as they were called before matrices: they go when no caller is left.

import Machine

public enum TensorEpilogue {
  case add(Tensor)
  case activation(Activation, output: Tensor)
  case slope(Activation, input: Tensor)

  fileprivate func over(_ y: Matrix) -> Epilogue {
    func view(_ tensor: Tensor) -> Matrix {
      Matrix(tensor, rows: y.rows, columns: y.columns, rowStride: y.rowStride)
    }
    switch self {
    case .add(let tensor): return .add(view(tensor))
    case .activation(let activation, let output): return .activation(activation, output: view(output))
    case .slope(let activation, let input): return .slope(activation, input: view(input))
    }
  }
}

private func bounded(_ integers: [Int32], below bound: Int) -> BoundedIntegers {
  do { return try BoundedIntegers(integers, below: bound) } catch {
    preconditionFailure("\(error.value) at \(error.position) is not below \(bound)")
  }
}

extension Linear {
  public static func forward(
    _ x: Tensor, weight: Tensor, bias: Tensor?, rows: Int, inputs: Int, outputs: Int, rowStride: Int? = nil,
    y: Tensor, epilogue: TensorEpilogue? = nil, context: ExecutionContext
  ) {
    let output = Matrix(y, rows: rows, columns: outputs, rowStride: rowStride)
    forward(
      Matrix(x, rows: rows, columns: inputs), weight: Matrix(weight, rows: outputs, columns: inputs),
      bias: bias?.slice(0..<outputs), y: output, epilogue: epilogue?.over(output), context: context)
  }

  public static func backward(
    _ dout: Tensor, x: Tensor, weight: Tensor, rows: Int, inputs: Int, outputs: Int, rowStride: Int? = nil,
    accumulate: Bool, dx: Tensor, epilogue: TensorEpilogue? = nil, dweight: Tensor, dbias: Tensor?,
    context: ExecutionContext
  ) {
    let gradient = Matrix(dx, rows: rows, columns: inputs)
    backward(
      Matrix(dout, rows: rows, columns: outputs, rowStride: rowStride),
      x: Matrix(x, rows: rows, columns: inputs), weight: Matrix(weight, rows: outputs, columns: inputs),
      accumulate: accumulate, dx: gradient, epilogue: epilogue?.over(gradient),
      dweight: Matrix(dweight, rows: outputs, columns: inputs), dbias: dbias?.slice(0..<outputs),
      context: context)
  }
}

extension LayerNorm {
  public static func forward(
    _ x: Tensor, weight: Tensor, bias: Tensor, rows: Int, channels: Int, y: Tensor, mean: Tensor,
    rstd: Tensor, context: ExecutionContext
  ) {
    forward(
      Matrix(x, rows: rows, columns: channels), weight: weight, bias: bias,
      y: Matrix(y, rows: rows, columns: channels), mean: mean.slice(0..<rows), rstd: rstd.slice(0..<rows),
      context: context)
  }

  public static func backward(
    _ dout: Tensor, x: Tensor, weight: Tensor, mean: Tensor, rstd: Tensor, rows: Int, channels: Int,
    accumulate: Bool, dx: Tensor, dweight: Tensor, dbias: Tensor, context: ExecutionContext
  ) {
    backward(
      Matrix(dout, rows: rows, columns: channels), x: Matrix(x, rows: rows, columns: channels),
      weight: weight, mean: mean.slice(0..<rows), rstd: rstd.slice(0..<rows), accumulate: accumulate,
      dx: Matrix(dx, rows: rows, columns: channels), dweight: dweight, dbias: dbias, context: context)
  }
}

extension Attention {
  public static func forward(
    _ qkv: Tensor, shape: AttentionShape, out: Tensor, logSumExp: Tensor, kept: AttentionWeights? = nil,
    context: ExecutionContext
  ) {
    forward(
      qkv.matrix(columns: 3 * shape.channels), shape: shape, out: out.matrix(columns: shape.channels),
      logSumExp: logSumExp, kept: kept, context: context)
  }

  public static func backward(
    _ dout: Tensor, qkv: Tensor, out: Tensor, logSumExp: Tensor, shape: AttentionShape, dqkv: Tensor,
    context: ExecutionContext
  ) {
    backward(
      dout.matrix(columns: shape.channels), qkv: qkv.matrix(columns: 3 * shape.channels),
      out: out.matrix(columns: shape.channels), logSumExp: logSumExp, shape: shape,
      dqkv: dqkv.matrix(columns: 3 * shape.channels), context: context)
  }
}

extension Activation {
  public func forward(_ x: Tensor, count: Int, y: Tensor, context: ExecutionContext) {
    forward(x.slice(0..<count), y: y.slice(0..<count), context: context)
  }
}

extension Residual {
  public static func zeroColumns(
    _ columns: Range<Int>, of tensor: Tensor, rows: Int, rowStride: Int, context: ExecutionContext
  ) {
    zeroColumns(columns, of: Matrix(tensor, rows: rows, columns: rowStride), context: context)
  }
}

extension Encoder {
  public static func forward(
    _ tokens: [Int32], wte: Tensor, wpe: Tensor, batchSize: Int, sequenceLength: Int, channels: Int,
    out: Tensor, context: ExecutionContext
  ) {
    let rows = wte.matrix(columns: channels)
    forward(
      bounded(tokens, below: rows.rows), wte: rows, wpe: wpe.matrix(columns: channels),
      sequenceLength: sequenceLength,
      out: Matrix(out, rows: batchSize * sequenceLength, columns: channels), context: context)
  }

  public static func backward(
    _ dout: Tensor, tokens: [Int32], batchSize: Int, sequenceLength: Int, channels: Int, accumulate: Bool,
    dwte: Tensor, dwpe: Tensor, context: ExecutionContext
  ) {
    let rows = dwte.matrix(columns: channels)
    backward(
      Matrix(dout, rows: batchSize * sequenceLength, columns: channels),
      tokens: bounded(tokens, below: rows.rows), sequenceLength: sequenceLength, accumulate: accumulate,
      dwte: rows, dwpe: dwpe.matrix(columns: channels), context: context)
  }
}

extension CrossEntropy {
  public static func forward(
    _ logits: Tensor, targets: [Int32], vocabularySize: Int, paddedVocabularySize: Int, losses: Tensor,
    logSumExp: Tensor, context: ExecutionContext
  ) {
    forward(
      view(logits, targets, vocabularySize, paddedVocabularySize),
      targets: bounded(targets, below: vocabularySize), losses: losses.slice(0..<targets.count),
      logSumExp: logSumExp.slice(0..<targets.count), context: context)
  }

  public static func backward(
    _ logits: Tensor, targets: [Int32], logSumExp: Tensor, scale: Float, vocabularySize: Int,
    paddedVocabularySize: Int, dlogits: Tensor, context: ExecutionContext
  ) {
    backward(
      view(logits, targets, vocabularySize, paddedVocabularySize),
      targets: bounded(targets, below: vocabularySize), logSumExp: logSumExp.slice(0..<targets.count),
      scale: scale, dlogits: view(dlogits, targets, vocabularySize, paddedVocabularySize), context: context)
  }

  public static func forwardBackward(
    _ logits: Tensor, targets: [Int32], scale: Float, vocabularySize: Int, paddedVocabularySize: Int,
    losses: Tensor, logSumExp: Tensor, context: ExecutionContext
  ) {
    forwardBackward(
      view(logits, targets, vocabularySize, paddedVocabularySize),
      targets: bounded(targets, below: vocabularySize), scale: scale,
      losses: losses.slice(0..<targets.count), logSumExp: logSumExp.slice(0..<targets.count),
      context: context)
  }

  private static func view(_ logits: Tensor, _ targets: [Int32], _ size: Int, _ padded: Int) -> Matrix {
    Matrix(logits, rows: targets.count, columns: size, rowStride: padded)
  }
}
