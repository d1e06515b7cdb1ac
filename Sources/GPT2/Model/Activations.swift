import Machine
import Operators

/// What a forward pass over (B, T) keeps, as named, shaped views of one range of memory.
///
/// A tensor that is not kept has one layer, which every layer's pass overwrites in turn: L is 1 there.
///
/// | name | shape | |
/// |---|---|---|
/// | encoded | (B, T, C) | token + position embedding |
/// | ln1, ln1_mean, ln1_rstd | (L, B, T, C), (L, B, T) twice | |
/// | qkv, atty | (L, B, T, 3C), (L, B, T, C) | attention's inputs and output |
/// | att_lse | (L, B, NH, T) | log Σ exp of a row's scores: all that backward needs of them |
/// | residual2, residual3 | (L, B, T, C) | the stream after attention, and after the feed-forward block |
/// | ln2, ln2_mean, ln2_rstd | as ln1 | |
/// | fch, fch_gelu | (L, B, T, 4C) | before and after the activation |
/// | lnf, lnf_mean, lnf_rstd | (B, T, C), (B, T) twice | |
/// | logits | (B, T, Vp) | columns V..<Vp stay 0; a backward pass leaves their gradient here instead; where they are not kept, (384, Vp): a block of rows at a time |
/// | losses, logits_lse | (B, T) | |
/// | preatt, att | (L, B, NH, T, T) | scores and weights, only where the model keeps attention |
public struct Activations: Sendable {
  public let batchSize: Int
  public let sequenceLength: Int
  /// All views, in the order of the pass.
  public let tensors: [Tensor]
  private let indices: [String: Int]

  public subscript(_ name: String) -> Tensor? { indices[name].map { tensors[$0] } }

  /// A layer of a tensor, or the one that all layers share.
  func tensor(_ name: String, layer: Int) -> Tensor {
    let tensor = tensor(name)
    return tensor.layer(tensor.shape[0] == 1 ? 0 : layer)
  }

  func tensor(_ name: String) -> Tensor {
    guard let tensor = self[name] else { preconditionFailure("no activation is named \(name)") }
    return tensor
  }

  /// Lays the views out over `storage`, which has at least `floatCount(entries)` elements.
  init(_ entries: [Arena.Entry], batchSize: Int, sequenceLength: Int, storage: Tensor) {
    self.batchSize = batchSize
    self.sequenceLength = sequenceLength
    var offset = 0
    tensors = entries.map { entry in
      let count = entry.shape.reduce(1, *)
      defer { offset += Self.padded(count) }
      return storage.slice(offset..<offset + count, shape: entry.shape, name: entry.name)
    }
    indices = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
  }

  /// Every view starts on a cache line.
  private static func padded(_ count: Int) -> Int { (count + 15) / 16 * 16 }

  /// Elements that the views take; nil where that exceeds `Int`.
  static func floatCount(_ entries: [Arena.Entry]) -> Int? {
    var total = 0
    for entry in entries {
      guard let count = entry.elementCount else { return nil }
      let (sum, overflow) = total.addingReportingOverflow(count)
      if overflow || sum > Int.max - 32 { return nil }
      total = padded(sum)
    }
    return total
  }
}

/// What training computes again in the backward pass instead of keeping it from the forward pass.
public enum Recomputation: String, CaseIterable, Sendable {
  /// Nothing: 16·B·T·C floats a layer.
  case none
  /// Both layer norms and the activation: 10·B·T·C floats a layer, and about a hundredth more time.
  case elementwise
  /// Every block from its input: B·T·C floats a layer, and about a third more time.
  case blocks
}

extension Recomputation {
  /// `none` where all that training keeps takes at most a sixteenth of the machine's memory, else `elementwise`.
  ///
  /// Results do not depend on it.
  public static func automatic(
    _ configuration: Configuration, batchSize: Int, sequenceLength: Int
  ) -> Recomputation {
    guard let memory = Topology.current.totalMemoryBytes else { return .none }
    let entries = configuration.activationEntries(
      batchSize: batchSize, sequenceLength: sequenceLength, keeping: .forBackward(.none),
      keepsAttention: false)
    guard let count = Activations.floatCount(entries) else { return .elementwise }
    return count <= memory / 16 / MemoryLayout<Float>.stride ? .none : .elementwise
  }
}

/// What a pass keeps of each layer, and of the logits.
enum Keeping: Equatable {
  /// Everything, for people who look and for a backward pass that is called by itself.
  case all
  /// What the backward pass of the same call needs.
  case forBackward(Recomputation)
  /// Nothing: only the loss is wanted.
  case nothing

  var wholeLogits: Bool { self == .all }

  func keeps(_ name: String) -> Bool {
    switch self {
    case .all, .forBackward(.none): true
    case .forBackward(.elementwise): !["ln1", "ln2", "fch_gelu"].contains(name)
    case .forBackward(.blocks): name == "residual3"
    case .nothing: false
    }
  }
}

extension Configuration {
  /// Rows of logits that exist at once where they are not kept whole: the GEMM's chain over rows, so that the gradient
  /// of the head is summed as in one piece.
  static let logitsRows = GEMM.chainLength

  /// The views of a forward pass, in order.
  func activationEntries(
    batchSize: Int, sequenceLength: Int, keeping: Keeping, keepsAttention: Bool
  ) -> [Arena.Entry] {
    let rows = [batchSize, sequenceLength]
    let (width, count) = (channels, batchSize.multipliedReportingOverflow(by: sequenceLength))
    func entry(_ name: String, _ shape: [Int]) -> Arena.Entry { Arena.Entry(name: name, shape: shape) }
    func layered(_ name: String, _ shape: [Int]) -> Arena.Entry {
      entry(name, [keeping.keeps(name) ? layers : 1] + shape)
    }
    var entries = [entry("encoded", rows + [width])]
    func norm(_ name: String) -> [Arena.Entry] {
      [layered(name, rows + [width]), layered(name + "_mean", rows), layered(name + "_rstd", rows)]
    }
    entries += norm("ln1")
    entries += [
      layered("qkv", rows + [3 * width]), layered("atty", rows + [width]),
      layered("att_lse", [batchSize, heads, sequenceLength]), layered("residual2", rows + [width]),
    ]
    entries += norm("ln2")
    entries += [
      layered("fch", rows + [4 * width]), layered("fch_gelu", rows + [4 * width]),
      layered("residual3", rows + [width]),
      entry("lnf", rows + [width]), entry("lnf_mean", rows), entry("lnf_rstd", rows),
      entry(
        "logits",
        keeping.wholeLogits || count.overflow
          ? rows + [paddedVocabularySize] : [min(count.partialValue, Self.logitsRows), paddedVocabularySize]),
      entry("losses", rows), entry("logits_lse", rows),
    ]
    if keepsAttention {
      let square = [batchSize, heads, sequenceLength, sequenceLength]
      entries += [layered("preatt", square), layered("att", square)]
    }
    return entries
  }

  /// The gradients that pass from layer to layer, each layer's in turn.
  func backwardEntries(batchSize: Int, sequenceLength: Int) -> [Arena.Entry] {
    let rows = [batchSize, sequenceLength]
    return [
      Arena.Entry(name: "dresidual", shape: rows + [channels]),
      Arena.Entry(name: "dbranch", shape: rows + [channels]),
      Arena.Entry(name: "dqkv", shape: rows + [3 * channels]),
      Arena.Entry(name: "dfch", shape: rows + [4 * channels]),
    ]
  }
}
