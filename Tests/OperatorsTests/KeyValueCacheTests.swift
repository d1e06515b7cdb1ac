import Foundation
import Machine
import Operators
import TestSupport
import Testing

struct CacheSize: CustomTestStringConvertible, Sendable {
  let sequences, capacity, heads, headSize: Int
  /// Of queries, keys and values, as in `AttentionSize`.
  var deviation = 1.7
  var testDescription: String {
    "S \(sequences), capacity \(capacity), NH \(heads), hs \(headSize), deviation \(deviation)"
  }

  var channels: Int { heads * headSize }
  var attention: AttentionSize {
    AttentionSize(
      batchSize: 1, sequenceLength: capacity, heads: heads, headSize: headSize, deviation: deviation)
  }

  /// About a vector of 16, a block of 128 keys, a task of 256 queries, the 256 channels of a panel; ragged ones; one
  /// channel; scores hundreds apart.
  static let ragged =
    [
      (1, 1, 1, 1), (2, 5, 3, 12), (1, 17, 2, 16), (3, 40, 2, 64), (1, 127, 1, 17), (2, 128, 1, 64),
      (1, 129, 2, 5),
      (2, 140, 1, 300), (1, 257, 2, 64), (1, 290, 3, 12), (1, 300, 1, 100),
    ].map { CacheSize(sequences: $0.0, capacity: $0.1, heads: $0.2, headSize: $0.3) } + [
      CacheSize(sequences: 1, capacity: 290, heads: 1, headSize: 12, deviation: 12)
    ]

  /// Lengths at which a newest position is looked at: the ends of vectors and blocks.
  var counts: [Int] {
    let ends: Set = [1, 2, 15, 16, 17, 64, 65, 127, 128, 129, 200, 255, 256, 257, capacity - 1, capacity]
    return ends.filter { (1...capacity).contains($0) }.sorted()
  }
}

@Suite struct KeyValueCacheTests {
  /// A cache that holds NaN in all that is not stored, against inaccessible pages.
  private func cache(_ size: CacheSize, _ place: Place) throws -> KeyValueCache {
    let count = KeyValueCache.count(
      sequences: size.sequences, heads: size.heads, headSize: size.headSize, capacity: size.capacity)
    return KeyValueCache(
      sequences: size.sequences, heads: size.heads, headSize: size.headSize, capacity: size.capacity,
      keys: try place.output(count.keys), values: try place.output(count.values))
  }

  /// (C) of each position by the whole operator.
  private func expected(_ qkv: [Float], _ size: CacheSize, _ place: Place) throws -> [Float] {
    let attention = size.attention
    let (out, logSumExp) = (try place.output(attention.count), try place.output(attention.rows))
    try Attention.forward(
      place.input(qkv).matrix(columns: 3 * size.channels), shape: attention.shape,
      out: out.matrix(columns: size.channels), logSumExp: logSumExp, context: place.context)
    return out.array()
  }

  /// The bits of `Attention.forward`, and so within its bound of the formula in Double; what the cache holds beyond a
  /// sequence, NaN, reaches nothing.
  @Test(arguments: CacheSize.ragged) func hasTheBitsOfAttention(_ size: CacheSize) throws {
    let qkvs = (0..<size.sequences).map { size.attention.qkv(seed: UInt64(40 + $0)) }
    let width = 3 * size.channels
    let results = try everywhere(sequenceLength: size.capacity) { place in
      let cache = try cache(size, place)
      let whole = try qkvs.map { try expected($0, size, place) }
      var found: [Float] = []
      var stored = 0
      for count in size.counts {
        // Several positions at once, as a prompt's, and each by itself.
        for (sequence, qkv) in qkvs.enumerated() {
          let rows = try place.input(Array(qkv[stored * width..<count * width])).matrix(columns: width)
          cache.store(rows, sequence: sequence, positions: stored..<count, context: place.context)
        }
        stored = count
        // Sequences in another order than they lie in.
        let order = Array((0..<size.sequences).reversed())
        let rows = order.flatMap { Array(qkvs[$0][(count - 1) * width..<count * width]) }
        let out = try place.output(order.count * size.channels)
        cache.attend(
          try place.input(rows).matrix(columns: width), sequences: order,
          counts: [Int](repeating: count, count: order.count), out: out.matrix(columns: size.channels),
          context: place.context)
        let range = (count - 1) * size.channels..<count * size.channels
        expect(
          out.array(), equals: order.flatMap { Array(whole[$0][range]) },
          "\(count) positions on \(place.context.instructionSet)")
        found += out.array()
      }
      return ["out": found]
    }
    let exact = AttentionOracle(size.attention, qkvs[0])
    for (set, outputs) in results {
      // Of the first sequence, the last in its batch.
      for (index, count) in size.counts.enumerated() {
        let start = (index * size.sequences + size.sequences - 1) * size.channels
        let range = (count - 1) * size.channels..<count * size.channels
        let out = (outputs["out"] ?? []).dropFirst(start).prefix(size.channels)
        expect(
          Array(out), near: Array(exact.kept.output[range]), within: Array(exact.outBound[range]),
          "\(count) positions on \(set)")
      }
    }
  }

  /// Sequences of one batch may have any lengths, and some may rest.
  @Test func lengthsDiffer() throws {
    let size = CacheSize(sequences: 4, capacity: 150, heads: 2, headSize: 12)
    let qkv = size.attention.qkv(seed: 50)
    let (counts, order, width) = ([150, 3, 128], [3, 0, 2], 3 * size.channels)
    _ = try everywhere(sequenceLength: size.capacity) { place in
      let cache = try cache(size, place)
      let whole = try expected(qkv, size, place)
      let input = try place.input(qkv).matrix(columns: width)
      for (sequence, count) in zip(order, counts) {
        cache.store(input[0..<count], sequence: sequence, positions: 0..<count, context: place.context)
      }
      let rows = counts.flatMap { Array(qkv[($0 - 1) * width..<$0 * width]) }
      let out = try place.output(3 * size.channels)
      cache.attend(
        try place.input(rows).matrix(columns: width), sequences: order, counts: counts,
        out: out.matrix(columns: size.channels), context: place.context)
      let expected = counts.flatMap { Array(whole[($0 - 1) * size.channels..<$0 * size.channels]) }
      expect(out.array(), equals: expected, "on \(place.context.instructionSet)")
      return [:]
    }
  }

  /// A copy is what storing the same again would be.
  @Test(arguments: [1, 128, 131]) func copies(count: Int) throws {
    let size = CacheSize(sequences: 3, capacity: 140, heads: 2, headSize: 12)
    let qkv = size.attention.qkv(seed: 51)
    let width = 3 * size.channels
    _ = try everywhere(sequenceLength: size.capacity) { place in
      let cache = try cache(size, place)
      let input = try place.input(qkv).matrix(columns: width)
      cache.store(input[0..<count], sequence: 1, positions: 0..<count, context: place.context)
      cache.copy(1, to: [2, 0], count: count, context: place.context)
      let row = Array(qkv[(count - 1) * width..<count * width])
      let out = try place.output(3 * size.channels)
      cache.attend(
        try place.input(row + row + row).matrix(columns: width), sequences: [0, 1, 2],
        counts: [count, count, count], out: out.matrix(columns: size.channels), context: place.context)
      let all = out.array()
      #expect(all.allSatisfy { $0.isFinite })
      for other in [0, 2] {
        expect(
          Array(all[other * size.channels..<(other + 1) * size.channels]),
          equals: Array(all[size.channels..<2 * size.channels]), "sequence \(other)")
      }
      return [:]
    }
  }
}
