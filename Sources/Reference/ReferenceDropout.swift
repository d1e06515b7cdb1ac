import RealModule

/// Dropout in one pass: which elements of its matrices become 0, and what the others are multiplied by.
///
/// An element at (row, column) of the matrix `site` is dropped where a word of 32 random bits is small. The words are
/// those of Philox4x32-10 with the seed as its key:
///
///     counter = (16·⌊column/64⌋ + column mod 16, row, site, pass)      word = output[⌊column/16⌋ mod 4]
///     dropped: the word, as a signed integer, is below threshold − 2³¹;  the probability is threshold / 2³²
///
/// Sites: 0 is the embedding's; layer l has 1 + l·(NH + 2) + h for the weights of its head h, whose rows are the
/// positions b·T + t and whose columns are keys, then one for the projection of attention, and one for that of the
/// feed-forward pair.
///
/// - SeeAlso: Salmon, Moraes, Dror, Shaw 2011, doi:10.1145/2063384.2063405.
public struct ReferenceDropout: Sendable {
  /// The generator's key.
  public let seed: UInt64
  /// Its counter: the number of the pass.
  public let pass: UInt32
  /// Of 2³² words.
  public let threshold: UInt32

  /// Drops an element with the probability threshold/2³².
  @inlinable
  public init(threshold: UInt32, seed: UInt64, pass: UInt32) {
    self.threshold = threshold
    self.seed = seed
    self.pass = pass
  }

  /// 1/(1 − threshold/2³²)
  @inlinable public var scale: Double { 0x1p32 / (0x1p32 - Double(threshold)) }

  /// Four words for a counter: ten rounds of products whose halves change places.
  ///
  public static func philox(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var (words, key) = (counter, key)
    for _ in 0..<10 {
      let first = UInt64(words[0]) * 0xD251_1F53
      let second = UInt64(words[2]) * 0xCD9E_8D57
      words = SIMD4(
        UInt32(second >> 32) ^ words[1] ^ key[0], UInt32(truncatingIfNeeded: second),
        UInt32(first >> 32) ^ words[3] ^ key[1], UInt32(truncatingIfNeeded: first))
      key = SIMD2(key[0] &+ 0x9E37_79B9, key[1] &+ 0xBB67_AE85)
    }
    return words
  }

  /// Whether an element stays.
  public func keeps(site: Int, row: Int, column: Int) -> Bool {
    let words = Self.philox(
      counter: SIMD4(UInt32(column / 64 * 16 + column % 16), UInt32(row), UInt32(site), pass),
      key: SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(seed >> 32)))
    let word = Int64(Int32(bitPattern: words[column / 16 % 4]))
    return word >= Int64(threshold) - 1 << 31
  }

  /// (rows, columns): 0 or the scale.
  public func mask<Scalar: BinaryFloatingPoint>(site: Int, rows: Int, columns: Int) -> [Scalar] {
    (0..<rows).flatMap { row in
      (0..<columns).map { keeps(site: site, row: row, column: $0) ? Scalar(scale) : 0 }
    }
  }

  /// (B, NH, T, T) of a layer's weights, the first head's at `site`.
  public func attentionMask<Scalar: BinaryFloatingPoint>(
    site: Int, batchSize: Int, sequenceLength: Int, heads: Int
  ) -> [Scalar] {
    var mask: [Scalar] = []
    for b in 0..<batchSize {
      for head in 0..<heads {
        for t in 0..<sequenceLength {
          mask += (0..<sequenceLength).map {
            keeps(site: site + head, row: b * sequenceLength + t, column: $0) ? Scalar(scale) : 0
          }
        }
      }
    }
    return mask
  }

  /// `values` times a mask of as many elements; as they are where there is none.
  @inlinable
  static func apply<Scalar: Real & BinaryFloatingPoint>(_ mask: [Scalar]?, to values: [Scalar]) -> [Scalar] {
    guard let mask else { return values }
    precondition(mask.count == values.count)
    return zip(mask, values).map { $0 * $1 }
  }
}

/// The masks of a block: what its weights and what its two branches' outputs are multiplied by.
public struct ReferenceBlockMasks<Scalar: Real & BinaryFloatingPoint> {
  /// (B, NH, T, T)
  public var attention: [Scalar]
  /// (B, T, C) each.
  public var attentionProjection, feedForwardProjection: [Scalar]

  /// Those of a layer.
  public init(
    _ dropout: ReferenceDropout, layer: Int, batchSize: Int, sequenceLength: Int,
    _ configuration: ReferenceConfiguration
  ) {
    let (heads, rows) = (configuration.heads, batchSize * sequenceLength)
    let site = 1 + layer * (heads + 2)
    attention = dropout.attentionMask(
      site: site, batchSize: batchSize, sequenceLength: sequenceLength, heads: heads)
    attentionProjection = dropout.mask(site: site + heads, rows: rows, columns: configuration.channels)
    feedForwardProjection = dropout.mask(
      site: site + heads + 1, rows: rows, columns: configuration.channels)
  }
}
