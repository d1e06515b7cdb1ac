import Machine

/// What a forward pass over (B, T) keeps, as named, shaped views of one range of memory.
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
/// | projection | (B, T, C) | a block's output before it is added to the stream; every layer's in turn |
/// | lnf, lnf_mean, lnf_rstd | (B, T, C), (B, T) twice | |
/// | logits | (B, T, Vp) | columns V..<Vp stay 0; a backward pass leaves their gradient here instead |
/// | losses, logits_lse | (B, T) | |
/// | preatt, att | (L, B, NH, T, T) | scores and weights, only where the model keeps attention |
public struct Activations: Sendable {
  public let batchSize: Int
  public let sequenceLength: Int
  /// All views, in the order of the pass.
  public let tensors: [Tensor]
  private let indices: [String: Int]

  public subscript(_ name: String) -> Tensor? { indices[name].map { tensors[$0] } }

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

extension Configuration {
  /// The views of a forward pass, in order.
  func activationEntries(batchSize: Int, sequenceLength: Int, keepsAttention: Bool) -> [Arena.Entry] {
    let rows = [batchSize, sequenceLength]
    let wide = 4 * channels
    func entry(_ name: String, _ shape: [Int]) -> Arena.Entry { Arena.Entry(name: name, shape: shape) }
    var entries = [entry("encoded", rows + [channels])]
    func norm(_ name: String, _ leading: [Int]) -> [Arena.Entry] {
      [
        entry(name, leading + rows + [channels]), entry(name + "_mean", leading + rows),
        entry(name + "_rstd", leading + rows),
      ]
    }
    entries += norm("ln1", [layers])
    entries += [
      entry("qkv", [layers] + rows + [3 * channels]), entry("atty", [layers] + rows + [channels]),
      entry("att_lse", [layers, batchSize, heads, sequenceLength]),
      entry("residual2", [layers] + rows + [channels]),
    ]
    entries += norm("ln2", [layers])
    entries += [
      entry("fch", [layers] + rows + [wide]), entry("fch_gelu", [layers] + rows + [wide]),
      entry("residual3", [layers] + rows + [channels]), entry("projection", rows + [channels]),
    ]
    entries += norm("lnf", [])
    entries += [
      entry("logits", rows + [paddedVocabularySize]), entry("losses", rows), entry("logits_lse", rows),
    ]
    if keepsAttention {
      let square = [layers, batchSize, heads, sequenceLength, sequenceLength]
      entries += [entry("preatt", square), entry("att", square)]
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
