import Machine
import Operators

/// The gradients that pass from layer to layer, each layer's in turn.
struct BackwardScratch {
  /// (B·T, C): of the residual stream, and of what a branch adds to it.
  let dresidual, dbranch: Matrix
  /// (B·T, 3C) and (B·T, 4C), with products of bfloat16 in the memory of the activations' sums.
  let dqkv, dfch: Matrix
  /// (B·T, C), float32: of a branch's last product where dropout makes it another than the stream's, and nothing rounds
  /// it. In the memory of dqkv, which comes after both branches' last products in the backward pass.
  var dropped: Matrix { Matrix(dqkv.tensor, rows: dresidual.rows, columns: dresidual.columns) }
  /// The same in bfloat16, as operands of the next products; nil where those multiply float32.
  let rounded: RoundedGradients?

  /// In multiples of C.
  private static func widths(_ precision: OperandPrecision) -> [Int] {
    precision.pairedOrder == nil ? [1, 1, 3, 4] : [1, 1]
  }

  static func count(
    _ configuration: Configuration, batchSize: Int, sequenceLength: Int, _ retention: Retention,
    _ precision: OperandPrecision
  ) -> Int? {
    let widths = widths(precision)
    let shape = [batchSize, sequenceLength, widths.reduce(0, +), configuration.channels]
    let float32 = Arena.Entry(name: "", shape: shape).elementCount.map {
      $0 + widths.count * Arena.lineFloats
    }
    guard precision.pairedOrder != nil, let float32 else { return float32 }
    guard
      let rounded = RoundedGradients.count(
        configuration, batchSize: batchSize, sequenceLength: sequenceLength, retention)
    else { return nil }
    return float32 + rounded
  }

  /// The floats of each matrix of float32 from the beginning of the storage on.
  static func parts(_ configuration: Configuration, rows: Int, _ precision: OperandPrecision) -> [Range<Int>]
  {
    var offset = 0
    return widths(precision).map { width in
      let count = rows * width * configuration.channels
      defer { offset += ActivationLayout.padded(count) }
      return offset..<offset + count
    }
  }

  init(_ configuration: Configuration, _ acts: Activations, storage: Tensor) {
    let (rows, channels) = (acts.rows, configuration.channels)
    let parts = Self.parts(configuration, rows: rows, acts.precision)
    let matrices = zip(parts, Self.widths(acts.precision)).map {
      storage.slice($0).matrix(columns: $1 * channels)
    }
    (dresidual, dbranch) = (matrices[0], matrices[1])
    dqkv = acts.sums(columns: 3 * channels) ?? matrices[2]
    dfch = acts.sums(columns: 4 * channels) ?? matrices[3]
    let offset = ActivationLayout.padded(parts[parts.count - 1].upperBound)
    rounded =
      acts.precision.pairedOrder != nil
      ? RoundedGradients(
        configuration, rows: rows, acts.retention, storage: storage.slice(offset..<storage.count)) : nil
  }
}

/// Gradients in bfloat16 on their way into a product.
struct RoundedGradients {
  /// (B·T, C)
  let dresidual: Matrix
  /// (B·T, 4C)
  let dfch: Matrix
  /// (B·T, C) and (B·T, 3C), in the memory of dfch: never at once.
  let datty, dqkv: Matrix
  /// (384, V), of a block of rows of logits that are kept whole; nil where it takes the place of its logits.
  let dlogits: Matrix?

  /// Floats that they take.
  static func count(
    _ configuration: Configuration, batchSize: Int, sequenceLength: Int, _ retention: Retention
  ) -> Int? {
    let (channels, padded) = (configuration.channels, configuration.paddedVocabularySize)
    let layers = Arena.Entry(name: "", shape: [batchSize, sequenceLength, 5, channels]).elementCount
    guard let layers else { return nil }
    let rows = retention.keepsLogits ? min(batchSize * sequenceLength, ActivationTensor.blockOfLogits) : 0
    let block = Arena.Entry(name: "", shape: [rows, padded]).elementCount
    guard let block, layers <= Int.max / 64, block <= Int.max / 64 else { return nil }
    return (layers + block) / 2 + 4 * Arena.lineFloats
  }

  init(_ configuration: Configuration, rows: Int, _ retention: Retention, storage: Tensor) {
    let channels = configuration.channels
    var offset = 0
    func next(_ shape: [Int]) -> Tensor {
      let floats = ActivationLayout.padded((shape.reduce(1, *) + 1) / 2)
      defer { offset += floats }
      return storage.slice(offset..<offset + floats).reinterpreted(as: .bfloat16, shape: shape)
    }
    dresidual = next([rows, channels]).matrix()
    let wide = next([rows, 4 * channels])
    dfch = wide.matrix()
    datty = Matrix(wide, rows: rows, columns: channels)
    dqkv = Matrix(wide, rows: rows, columns: 3 * channels, offset: rows * channels)
    let block = min(rows, ActivationTensor.blockOfLogits)
    let padded = configuration.paddedVocabularySize
    dlogits =
      retention.keepsLogits
      ? Matrix(next([block, padded]), rows: block, columns: configuration.vocabularySize, rowStride: padded)
      : nil
  }
}
