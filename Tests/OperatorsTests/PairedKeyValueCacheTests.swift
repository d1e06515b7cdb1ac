import Machine
import Operators
import Reference
import TestSupport
import Testing

/// Attention from a cache in bfloat16: the bits of plain loops on every instruction set, with its unit and without, and
/// near Double.
@Suite struct PairedKeyValueCacheTests {
  /// Those of float32, and odd heads of other lengths about a block.
  private static let sizes =
    CacheSize.ragged
    + [(2, 13, 2, 63), (1, 128, 3, 7), (1, 129, 2, 63), (2, 143, 1, 80), (1, 131, 1, 513), (1, 259, 1, 1)].map
  {
    CacheSize(sequences: $0.0, capacity: $0.1, heads: $0.2, headSize: $0.3)
  }

  /// A cache that holds NaN in all that is not stored, against inaccessible pages.
  private func cache(_ size: CacheSize, _ place: Place) throws -> KeyValueCache {
    let count = KeyValueCache.count(
      sequences: size.sequences, heads: size.heads, headSize: size.headSize, capacity: size.capacity,
      .bfloat16)
    return KeyValueCache(
      sequences: size.sequences, heads: size.heads, headSize: size.headSize, capacity: size.capacity,
      keys: try place.pairedOutput(count.keys), values: try place.pairedOutput(count.values))
  }

  private func operands(_ size: CacheSize, seed: UInt64) -> [Float] {
    size.attention.qkv(seed: seed).map(ReferencePairs.operand)
  }

  /// The rows of one position after `counts` others each.
  private func attend(
    _ qkvs: [[Float]], _ cache: KeyValueCache, sequences: [Int], counts: [Int], _ size: CacheSize,
    _ place: Place
  ) throws -> [Float] {
    let width = 3 * size.channels
    let rows = zip(qkvs, counts).flatMap { qkv, count in Array(qkv[(count - 1) * width..<count * width]) }
    let (sums, out) = (
      try place.output(counts.count * size.channels), try place.pairedOutput(counts.count * size.channels)
    )
    try cache.attend(
      place.operand(rows, columns: width), sequences: sequences, counts: counts,
      sums: sums.matrix(columns: size.channels), out: out.matrix(columns: size.channels),
      context: place.context)
    return try place.expanded(out)
  }

  /// What the cache holds beyond a sequence, NaN, reaches nothing: neither later keys nor the partner of an odd last one.
  @Test(arguments: sizes) func hasTheBitsOfPlainLoops(_ size: CacheSize) throws {
    let qkvs = (0..<size.sequences).map { operands(size, seed: UInt64(60 + $0)) }
    // Sequences in another order than they lie in.
    let order = Array((0..<size.sequences).reversed())
    let results = try everywhere(sequenceLength: size.capacity, withoutMatrixUnit: true) { place in
      let cache = try cache(size, place)
      let inputs = try qkvs.map { try place.operand($0, columns: 3 * size.channels) }
      var found: [Float] = []
      var stored = 0
      for count in size.counts {
        // Several positions at once, as a prompt's, and each by itself.
        for (sequence, input) in inputs.enumerated() {
          cache.store(
            input[stored..<count], sequence: sequence, positions: stored..<count, context: place.context)
        }
        stored = count
        found += try attend(
          order.map { qkvs[$0] }, cache, sequences: order, counts: order.map { _ in count }, size, place)
      }
      return ["out": found]
    }
    let plain = qkvs.map { ReferenceAttention.pairedForward($0, size.attention.reference).output }
    let exact = qkvs.map { AttentionOracle(size.attention, $0, operandError: 0x1p-8) }
    func expected<Scalar>(_ whole: (Int) -> [Scalar]) -> [Scalar] {
      let all = order.map(whole)
      return size.counts.flatMap { count in
        all.flatMap { Array($0[(count - 1) * size.channels..<count * size.channels]) }
      }
    }
    for (set, outputs) in results {
      expect(outputs["out"], equals: expected { plain[$0] }, "on \(set)")
      expect(
        outputs["out"], near: expected { exact[$0].kept.output }, within: expected { exact[$0].outBound },
        "on \(set)")
    }
  }

  /// Sequences of one batch may have any lengths, and some may rest; a copy is what storing the same again would be.
  @Test func lengthsDiffer() throws {
    let size = CacheSize(sequences: 4, capacity: 151, heads: 2, headSize: 13)
    let qkv = operands(size, seed: 50)
    let plain = ReferenceAttention.pairedForward(qkv, size.attention.reference).output
    let (counts, order) = ([151, 3, 128, 129], [3, 0, 2, 1])
    let expected = counts.flatMap { Array(plain[($0 - 1) * size.channels..<$0 * size.channels]) }
    for copies in [false, true] {
      _ = try everywhere(sequenceLength: size.capacity, withoutMatrixUnit: true) { place in
        let cache = try cache(size, place)
        let input = try place.operand(qkv, columns: 3 * size.channels)
        if copies {
          for (sequence, count) in zip(order.dropFirst(), counts.dropFirst()) {
            cache.store(input[0..<count], sequence: 3, positions: 0..<count, context: place.context)
            cache.copy(3, to: [sequence], count: count, context: place.context)
          }
        }
        for (sequence, count) in zip(order, counts) where !copies || sequence == 3 {
          cache.store(input[0..<count], sequence: sequence, positions: 0..<count, context: place.context)
        }
        let out = try attend(
          counts.map { _ in qkv }, cache, sequences: order, counts: counts, size, place)
        expect(out, equals: expected, "on \(place.context.instructionSet)")
        return [:]
      }
    }
  }
}
