import Machine
import Operators

/// What a forward pass over (B, T) computes, in its order.
///
/// | name | shape | |
/// |---|---|---|
/// | encoded | (B, T, C) | token + position embedding |
/// | ln1, ln1_mean, ln1_rstd | (L, B, T, C), (L, B, T) twice | |
/// | qkv, atty | (L, B, T, 3C), (L, B, T, C) | attention's inputs and output |
/// | att_lse | (L, B, NH, T) | log Σ exp of a row's scores: all that backward needs of them |
/// | residual2, residual3 | (L, B, T, C) | the stream after attention, and after the feed-forward block |
/// | ln2, ln2_mean, ln2_rstd | as ln1 | |
/// | fch, fch_gelu | (L, B, T, 4C) | before and after the activation; with products of bfloat16 a backward pass leaves the activation of fch as it is kept |
/// | lnf, lnf_mean, lnf_rstd | (B, T, C), (B, T) twice | |
/// | logits | (B, T, Vp) | columns V..<Vp stay 0; a backward pass leaves their gradient here instead; where they are not kept, (384, Vp): a block of rows at a time, with products of bfloat16 the gradient of a row in the first half of its logits |
/// | losses, logits_lse | (B, T) | |
/// | preatt, att | (L, B, NH, T, T) | scores and weights, only where they are asked for |
/// | sums | (B, T, 4C) | only with products of bfloat16: where qkv, fch and their gradients are float32 before they are rounded |
///
/// Where a layer's tensor is not kept, L is 1. With products of bfloat16 ln1, qkv, atty, ln2, fch_gelu and
/// lnf are bfloat16, and fch, which no product multiplies, is float16.
public enum ActivationTensor: String, CaseIterable, Sendable {
  case encoded
  case ln1
  case ln1Mean = "ln1_mean"
  case ln1Rstd = "ln1_rstd"
  case qkv, atty
  case attLSE = "att_lse"
  case residual2
  case ln2
  case ln2Mean = "ln2_mean"
  case ln2Rstd = "ln2_rstd"
  case fch
  case fchGELU = "fch_gelu"
  case residual3
  case lnf
  case lnfMean = "lnf_mean"
  case lnfRstd = "lnf_rstd"
  case logits, losses
  case logitsLSE = "logits_lse"
  case preatt, att
  case sums

  public var name: String { rawValue }

  var isLayered: Bool {
    switch self {
    case .encoded, .lnf, .lnfMean, .lnfRstd, .logits, .losses, .logitsLSE, .sums: false
    default: true
    }
  }

  /// - Parameter precision: what products multiply.
  func elementType(_ precision: OperandPrecision) -> ElementType {
    if precision.pairedOrder == nil { return .float32 }
    return switch self {
    case .ln1, .qkv, .atty, .ln2, .fchGELU, .lnf: .bfloat16
    case .fch: .float16
    default: .float32
    }
  }

  /// Of one layer.
  func shape(_ configuration: Configuration, _ batchSize: Int, _ sequenceLength: Int, _ retention: Retention)
    -> [Int]
  {
    let (rows, channels) = ([batchSize, sequenceLength], configuration.channels)
    return switch self {
    case .encoded, .ln1, .atty, .residual2, .ln2, .residual3, .lnf: rows + [channels]
    case .qkv: rows + [3 * channels]
    case .fch, .fchGELU, .sums: rows + [4 * channels]
    case .ln1Mean, .ln1Rstd, .ln2Mean, .ln2Rstd, .lnfMean, .lnfRstd, .losses, .logitsLSE: rows
    case .attLSE: [batchSize, configuration.heads, sequenceLength]
    case .preatt, .att: [batchSize, configuration.heads, sequenceLength, sequenceLength]
    case .logits: Self.logitsShape(configuration, batchSize, sequenceLength, retention)
    }
  }

  private static func logitsShape(
    _ configuration: Configuration, _ batchSize: Int, _ sequenceLength: Int, _ retention: Retention
  ) -> [Int] {
    let padded = configuration.paddedVocabularySize
    let (count, overflow) = batchSize.multipliedReportingOverflow(by: sequenceLength)
    if retention.keepsLogits || overflow { return [batchSize, sequenceLength, padded] }
    return [min(count, blockOfLogits), padded]
  }

  /// Rows of logits that exist at once where they are not kept whole: the GEMM's chain over rows, so that the gradient
  /// of the head is summed as in one piece.
  static let blockOfLogits = GEMM.chainLength

  /// Its place in the order of the pass.
  var index: Int { Self.indices[self]! }

  private static let indices = Dictionary(uniqueKeysWithValues: zip(allCases, 0...))
}

/// Where the activations of a pass lie in a workspace.
struct ActivationLayout {
  /// The shapes by `ActivationTensor.index`, layers first; nil for what does not exist.
  let shapes: [[Int]?]
  let precision: OperandPrecision

  init(
    _ configuration: Configuration, batchSize: Int, sequenceLength: Int, retention: Retention,
    precision: OperandPrecision
  ) {
    self.precision = precision
    shapes = ActivationTensor.allCases.map { activation in
      if [.preatt, .att].contains(activation), !retention.storesAttention { return nil }
      if activation == .sums, precision.pairedOrder == nil { return nil }
      let shape = activation.shape(configuration, batchSize, sequenceLength, retention)
      guard activation.isLayered else { return shape }
      return [retention.keepsLayers(of: activation, precision) ? configuration.layers : 1] + shape
    }
  }

  /// Floats that they take; nil where that exceeds `Int`.
  var count: Int? {
    var total = 0
    for (activation, shape) in zip(ActivationTensor.allCases, shapes) {
      guard let shape else { continue }
      guard let count = Arena.Entry(name: "", shape: shape).elementCount, count <= Int.max / 64 - total else {
        return nil
      }
      total += floats(of: activation, count)
    }
    return total
  }

  /// Floats that `count` elements of an activation take, to the end of a cache line.
  private func floats(of activation: ActivationTensor, _ count: Int) -> Int {
    let size = MemoryLayout<Float>.stride / activation.elementType(precision).byteCount
    return Self.padded((count + size - 1) / size)
  }

  /// The floats of each tensor, of each layer's where it has some.
  var parts: [Range<Int>] {
    var offset = 0
    return zip(ActivationTensor.allCases, shapes).flatMap { activation, shape -> [Range<Int>] in
      guard let shape else { return [] }
      let floats = floats(of: activation, shape.reduce(1, *))
      defer { offset += floats }
      let layers = activation.isLayered ? shape[0] : 1
      return (0..<layers).map { offset + floats * $0 / layers..<offset + floats * ($0 + 1) / layers }
    }
  }

  /// The views over `storage`, which has at least `count` floats, by `ActivationTensor.index`.
  func views(of storage: Tensor) -> [Tensor?] {
    var offset = 0
    return zip(ActivationTensor.allCases, shapes).map { activation, shape in
      guard let shape else { return nil }
      let floats = floats(of: activation, shape.reduce(1, *))
      defer { offset += floats }
      return storage.slice(offset..<offset + floats).reinterpreted(
        as: activation.elementType(precision), shape: shape, name: activation.name)
    }
  }

  /// Every tensor starts on a cache line.
  static func padded(_ count: Int) -> Int {
    (count + Arena.lineFloats - 1) / Arena.lineFloats * Arena.lineFloats
  }
}

/// What a forward pass over (B, T) left: named, shaped views of a workspace's memory.
public struct Activations: Sendable {
  public let batchSize: Int
  public let sequenceLength: Int
  public let retention: Retention
  public let precision: OperandPrecision
  /// What the pass drops, and its backward pass again; nil: nothing.
  var dropout: Dropout?
  /// By `ActivationTensor.index`.
  private let views: [Tensor?]

  /// Lays the views out over `storage`, which has at least as many elements as the layout counts.
  init(
    _ layout: ActivationLayout, batchSize: Int, sequenceLength: Int, retention: Retention, storage: Tensor
  ) {
    self.batchSize = batchSize
    self.sequenceLength = sequenceLength
    self.retention = retention
    precision = layout.precision
    views = layout.views(of: storage)
  }

  /// All views, in the order of the pass.
  public var tensors: [Tensor] { views.compactMap { $0 } }

  public subscript(_ name: String) -> Tensor? {
    ActivationTensor(rawValue: name).flatMap { views[$0.index] }
  }

  /// A tensor that exists in every pass.
  subscript(_ activation: ActivationTensor) -> Tensor {
    guard let view = views[activation.index] else {
      preconditionFailure("the pass did not store \(activation.name)")
    }
    return view
  }

  /// (B·T, columns), at most 4C of them: where one product is float32 before it is rounded; nil where none is.
  func sums(columns: Int) -> Matrix? {
    views[ActivationTensor.sums.index].map { Matrix($0, rows: rows, columns: columns) }
  }

  /// A layer's tensor, or the one that all layers share.
  subscript(_ activation: ActivationTensor, layer: Int) -> Tensor {
    let all = self[activation]
    let size = all.count / all.shape[0]
    let index = all.shape[0] == 1 ? 0 : layer
    return all.slice(index * size..<(index + 1) * size, shape: Array(all.shape.dropFirst()))
  }

  /// B·T
  var rows: Int { batchSize * sequenceLength }
}
