import Machine
import Operators
import Reference
import TestSupport
import Testing

/// Masks: the bits of the plain generator on every instruction set, and their statistics.
@Suite struct DropoutTests {
  /// About the 64 columns that a vector of counters serves, and the 16 rows of a task.
  private static let sizes = [
    (1, 1), (3, 15), (2, 16), (17, 17), (1, 63), (5, 64), (33, 65), (2, 127), (4, 131), (70, 257),
  ]

  private func plain(_ dropout: Dropout, seed: UInt64, pass: UInt32) -> ReferenceDropout {
    ReferenceDropout(threshold: dropout.threshold, seed: seed, pass: pass)
  }

  /// The vectors that come with the authors' Random123 (`kat_vectors`, philox4x32 10).
  @Test func knownAnswers() {
    let vectors: [(counter: SIMD4<UInt32>, key: SIMD2<UInt32>, words: SIMD4<UInt32>)] = [
      (SIMD4(repeating: 0), SIMD2(repeating: 0), [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]),
      (SIMD4(repeating: .max), SIMD2(repeating: .max), [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]),
      (
        [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], [0xA409_3822, 0x299F_31D0],
        [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1]
      ),
    ]
    for (counter, key, words) in vectors {
      #expect(ReferenceDropout.philox(counter: counter, key: key) == words)
    }
  }

  /// What is asked for, to the nearest of 2³² probabilities, and the scale that keeps the mean.
  @Test func probabilities() throws {
    for (probability, threshold) in [(0.5, 1 << 31), (0.2, 858_993_459), (0x1p-32, 1), (0.75, 3 << 30)] {
      let dropout = try #require(Dropout(probability: probability, seed: 1, pass: 0))
      #expect(dropout.threshold == UInt32(threshold))
      #expect(abs(dropout.probability - probability) <= 0x1p-33)
      #expect(dropout.scale == Float(1 / (1 - dropout.probability)))
    }
    #expect(Dropout(probability: 0, seed: 1, pass: 0) == nil)
    #expect(Dropout(probability: 0x1p-34, seed: 1, pass: 0) == nil)
    // The largest double below 1 leaves one word of 2³².
    let most = try #require(Dropout(probability: 1 - 0x1p-53, seed: 1, pass: 0))
    #expect(most.threshold == .max && most.scale == 0x1p32)
  }

  /// Products and multiply-adds of numbers with the plain mask, in place or not, and rounded to operands.
  @Test(arguments: sizes) func masks(rows: Int, columns: Int) throws {
    let (seed, pass, site): (UInt64, Int, UInt32) = (0x0123_4567_89AB_CDEF, 1 << 32 + 77, 5)
    let dropout = try #require(Dropout(probability: 0.3, seed: seed, pass: pass))
    var random = TestRandom(seed: 31)
    let (x, added): ([Float], [Float]) = (random.normal(rows * columns), random.normal(rows * columns))
    let results = try everywhere { place in
      let (product, sum) = (try place.output(x.count), try place.input(x))
      let operands = try place.pairedOutput(x.count)
      let (input, mask) = (try place.input(x).matrix(columns: columns), dropout.mask(site))
      Dropout.apply(input, mask: mask, y: product.matrix(columns: columns), context: place.context)
      Dropout.apply(input, mask: mask, y: operands.matrix(columns: columns), context: place.context)
      let inPlace = sum.matrix(columns: columns)
      try Dropout.apply(
        inPlace, mask: mask, addedTo: place.input(added).matrix(columns: columns), y: inPlace,
        context: place.context)
      return ["product": product.array(), "sum": sum.array(), "operands": try place.expanded(operands)]
    }
    let mask: [Float] = plain(dropout, seed: seed, pass: 77).mask(site: 5, rows: rows, columns: columns)
    let products = zip(x, mask).map { $1 == 0 ? 0 : $0 * dropout.scale }
    let sums = x.indices.map { mask[$0] == 0 ? added[$0] : added[$0].addingProduct(x[$0], dropout.scale) }
    for (set, outputs) in results {
      expect(outputs["product"], equals: products, "product on \(set)")
      expect(outputs["sum"], equals: sums, "sum on \(set)")
      expect(outputs["operands"], equals: products.map(ReferencePairs.operand), "operands on \(set)")
    }
  }

  /// Where nothing is kept what is not finite does not come through.
  @Test func whatIsDroppedIsGone() throws {
    let dropout = try #require(Dropout(probability: 0.5, seed: 3, pass: 0))
    let mask: [Float] = plain(dropout, seed: 3, pass: 0).mask(site: 0, rows: 1, columns: 100)
    _ = try everywhere { place in
      let (x, y) = (try place.input([Float](repeating: .infinity, count: 100)), try place.output(100))
      Dropout.apply(
        x.matrix(columns: 100), mask: dropout.mask(0), y: y.matrix(columns: 100), context: place.context)
      #expect(y.array() == mask.map { $0 == 0 ? 0 : .infinity })
      return [:]
    }
  }

  // MARK: - Statistics

  /// How many of n fair draws of probability p may differ from n·p: five standard deviations of the binomial, which one
  /// count in 1.7 million exceeds. Seeds are fixed: what passes once passes always.
  private func spread(_ count: Int, _ probability: Double) -> Double {
    5 * (Double(count) * probability * (1 - probability)).squareRoot()
  }

  private static let (rows, columns) = (512, 1024)

  /// Which of rows × columns elements stay.
  private func kept(
    _ probability: Double, seed: UInt64 = 1337, pass: Int = 0, site: UInt32 = 0
  ) throws -> [Bool] {
    let context = try ExecutionContext(threads: 2)
    let place = Place(context, edge: .end)
    defer { place.giveBack() }
    let x = try place.input([Float](repeating: 1, count: Self.rows * Self.columns))
    let dropout = try #require(Dropout(probability: probability, seed: seed, pass: pass))
    let matrix = x.matrix(columns: Self.columns)
    Dropout.apply(matrix, mask: dropout.mask(site), y: matrix, context: context)
    #expect(x.array().allSatisfy { $0 == 0 || $0 == dropout.scale })
    return x.array().map { $0 != 0 }
  }

  @Test(arguments: [0.001, 0.1, 0.2, 0.5, 0.9]) func counts(_ probability: Double) throws {
    let kept = try kept(probability)
    let dropped = kept.count { !$0 }
    #expect(abs(Double(dropped) - probability * Double(kept.count)) <= spread(kept.count, probability))
    // And so of each place in the 64 columns of a vector of counters.
    for place in 0..<64 {
      let column = stride(from: place, to: kept.count, by: 64).count { !kept[$0] }
      #expect(
        abs(Double(column) - probability * Double(kept.count / 64)) <= spread(kept.count / 64, probability))
    }
  }

  /// Masks of other seeds, passes and sites, the next row's, the next column's, and the one of 64 columns on, agree as
  /// often as if by chance: (1 − p)² of them are kept in both.
  @Test func masksAreIndependent() throws {
    let (probability, first) = (0.2, try kept(0.2))
    let others = [
      try kept(0.2, seed: 1338), try kept(0.2, seed: 1337 + 1 << 32), try kept(0.2, pass: 1),
      try kept(0.2, site: 1), try kept(0.2, site: 1 << 16),
    ]
    let shifts = [1, 16, 64, Self.columns].map { Array(first.dropFirst($0) + first.prefix($0)) }
    let both = (1 - probability) * (1 - probability)
    for (index, other) in (others + shifts).enumerated() {
      let count = zip(first, other).count { $0 && $1 }
      #expect(abs(Double(count) - both * Double(first.count)) <= spread(first.count, both), "\(index)")
    }
  }
}
