import Machine
import Operators
import Testing

/// How work is split into tasks for more threads than this machine has: by arithmetic alone, so that none is needed.
@Suite struct SplitTests {
  private static let threads = [1, 2, 3, 5, 8, 16, 48, 64, 96, 128, 192, 256, 384]
  /// Those of the instruction sets, and what columns of a block are a multiple of: in bfloat16 a panel.
  private static let tiles = [
    (rows: 4, columns: 16, unit: 16), (rows: 6, columns: 16, unit: 16), (rows: 8, columns: 48, unit: 16),
    (rows: 4, columns: 48, unit: 48), (rows: 8, columns: 48, unit: 48),
  ]
  /// Rows and columns: ragged ones, and the products of GPT-2 124M and 1558M at B·T = 64, 256 and 4096.
  private static let sizes =
    [(1, 1), (1, 50257), (31, 97), (33, 96), (97, 33), (1023, 385), (1024, 16), (6165, 16), (50257, 768)]
    + [64, 256, 4096].flatMap { rows in
      [768, 2304, 3072, 50257, 1600, 4800, 6400].map { (rows, $0) }
    } + [(2304, 768), (3072, 768), (768, 3072), (4800, 1600)]

  /// Every element of C lies in one block; every thread has a block where so many of the least size exist.
  @Test(arguments: threads) func productsAreCoveredOnce(_ threads: Int) throws {
    for (rows, columns) in Self.sizes {
      for tile in Self.tiles {
        for aInPlace in [false, true] {
          // Either order is the same blocks.
          let grid = GEMMGrid(
            rows: rows, columns: columns, aInPlace: aInPlace, threads: threads,
            tile: (tile.rows, tile.columns),
            unit: tile.unit, order: aInPlace ? .down : .across)
          let what = "\(rows) × \(columns) in tiles of \(tile) on \(threads) threads"
          let blocks = (0..<grid.count).map { grid.block($0) }
          #expect(
            blocks.allSatisfy {
              !$0.rows.isEmpty && !$0.columns.isEmpty && $0.columns.lowerBound % tile.unit == 0
            }, "\(what)")
          #expect(Self.areCovered(rows, columns, by: blocks), "\(what)")
          let (least, most) = (GEMMGrid.leastTiles, (rows: rows, columns: columns))
          let possible =
            Self.quotient(most.rows, least.down * tile.rows)
            * Self.quotient(most.columns, least.across * tile.columns)
          #expect(grid.count >= min(threads, possible), "\(what): \(grid.count) of \(possible) blocks")
          #expect(threads > 1 || grid.count == 1)
        }
      }
    }
  }

  /// One order goes down the rows, the other across the columns.
  @Test func ordersFollowRowsOrColumns() {
    func blocks(_ order: GEMMGrid.Order) -> [(rows: Range<Int>, columns: Range<Int>)] {
      let grid = GEMMGrid(
        rows: 4096, columns: 3072, aInPlace: true, threads: 16, tile: (8, 48), order: order)
      return (0..<grid.count).map { grid.block($0) }
    }
    let (down, across) = (blocks(.down), blocks(.across))
    #expect(down[1].columns == down[0].columns && down[1].rows.lowerBound == down[0].rows.upperBound)
    #expect(across[1].rows == across[0].rows && across[1].columns.lowerBound == across[0].columns.upperBound)
    #expect(down.count == across.count && down[0] == across[0])
  }

  /// Where nothing is packed, a panel is enough for a thread.
  @Test(arguments: threads) func fewRowsReachEveryThread(_ threads: Int) {
    for rows in [1, 4, 8] {
      for columns in [1, 47, 49, 768, 2304, 3072, 50257] {
        let grid = GEMMGrid(
          rows: rows, columns: columns, aInPlace: true, threads: threads, tile: (8, 48), unit: 48,
          packs: false)
        let blocks = (0..<grid.count).map { grid.block($0) }
        #expect(Self.areCovered(rows, columns, by: blocks))
        #expect(blocks.allSatisfy { $0.rows.count == rows && $0.columns.lowerBound % 48 == 0 })
        #expect(grid.count >= min(threads, Self.quotient(columns, 48)), "\(columns) on \(threads)")
      }
    }
  }

  /// Whether blocks that form a grid cover it once: the same bands of rows for each band of columns, each end to end.
  private static func areCovered(
    _ rows: Int, _ columns: Int, by blocks: [(rows: Range<Int>, columns: Range<Int>)]
  ) -> Bool {
    let bands = Dictionary(grouping: blocks) { $0.columns }
    return areCovered(columns, by: Array(bands.keys))
      && bands.values.allSatisfy { areCovered(rows, by: $0.map(\.rows)) }
  }

  private static func areCovered(_ total: Int, by ranges: [Range<Int>]) -> Bool {
    var end = 0
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if range.isEmpty || range.lowerBound != end { return false }
      end = range.upperBound
    }
    return end == total
  }

  private static func quotient(_ total: Int, _ part: Int) -> Int { (total + part - 1) / part }

  /// Rows, columns and elements, as operators split them.
  @Test(arguments: threads) func blocksCoverEveryElementOnce(_ threads: Int) {
    for total in [0, 1, 7, 8, 63, 64, 65, 256, 768, 1023, 4096, 50257, 786_432] {
      for (least, unit) in [(1, 1), (8, 1), (16, 1), (32, 16), (64, 64), (256, 1), (8192, 16)] {
        let size = ExecutionContext.blockSize(total, least: least, multipleOf: unit, threads: threads)
        #expect(size >= least && size % unit == 0)
        var ranges: [Range<Int>] = []
        let work = Work.blocks(of: size, in: total) { range, _ in ranges.append(range) }
        Parallel(threads: 1).forEach([work], beside: nil, team: nil)
        #expect(Self.areCovered(total, by: ranges) && ranges.count == work.count)
        // Rounding a block up to its unit may take tasks away, so that threads have half as many as they should.
        let possible = total / (least + unit - 1)
        #expect(
          work.count >= min(threads, possible),
          "\(total) by \(least) and \(unit): \(work.count) for \(threads)")
      }
    }
  }

  /// By T alone: where the cuts lie decides the order of sums.
  @Test func attentionsKeysAreCoveredOnce() {
    for length in 1...2100 {
      let shape = AttentionShape(batchSize: 2, sequenceLength: length, heads: 3, channels: 15)
      let chunks = AttentionChunks(shape)
      let keys = (0..<chunks.count).map { chunks.keys($0) }
      #expect(Self.areCovered(length, by: keys) && (length > 256 || chunks.count == 1))
      #expect(keys.dropLast().allSatisfy { $0.count % 128 == 0 })
      // A quarter of the pairs of a key and a query at the most, or a block; with the next block it would be more.
      func pairs(_ keys: Range<Int>) -> Int { keys.reduce(0) { $0 + length - $1 } }
      let all = pairs(0..<length)
      #expect(length <= 256 || keys.allSatisfy { $0.count <= 128 || 4 * pairs($0) <= all + 2 * $0.count })
      let longer = keys.dropLast().map { $0.lowerBound..<min(length, $0.upperBound + 128) }
      #expect(longer.allSatisfy { 4 * pairs($0) + length > all })
      // What every chunk but a head's first adds to dq has a place of its own: from its first key's position on.
      let partials = (0..<6).flatMap { head in
        (1..<max(1, chunks.count)).map { chunks.partial($0, head: head) }
      }
      #expect(Self.areCovered(Attention.sharedScratchCount(shape: shape), by: partials))
      let counts = (0..<6).flatMap { _ in keys.dropFirst().map { (length - $0.lowerBound) * 5 } }
      #expect(partials.map(\.count) == counts)
    }
  }

  /// Workers that never come take nothing but addresses: more threads than processors give the bits of one.
  @Test(arguments: [64, 384]) func contextsOfManyThreads(_ threads: Int) throws {
    func product(_ context: ExecutionContext) throws -> [Float] {
      let arena = try Arena([
        .init(name: "x", shape: [197, 67]), .init(name: "weight", shape: [1031, 67]),
        .init(name: "y", shape: [197, 1031]),
      ])
      let (x, weight, y) = (arena.tensors[0], arena.tensors[1], arena.tensors[2])
      for tensor in [x, weight] { tensor.copy(from: (0..<tensor.count).map { Float($0 % 113) / 57 - 1 }) }
      Linear.forward(x.matrix(), weight: weight.matrix(), bias: nil, y: y.matrix(), context: context)
      return y.array()
    }
    let many = try product(ExecutionContext(threads: threads))
    expect(many, equals: try product(ExecutionContext(threads: 1)), "\(threads) threads")
  }
}
