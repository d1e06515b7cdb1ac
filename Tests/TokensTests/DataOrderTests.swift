import TestSupport
import Testing
import Tokens

/// Batches of windows in random and in shuffled order.
@Suite struct DataOrderTests {
  /// Files of so many tokens, which tell where they are: position and 100 a file.
  private static func files(_ counts: [Int32]) -> [TokenFile] {
    counts.enumerated().map { file, count in
      TokenFile(name: "tokens", tokens: (0..<count).map { 100 * Int32(file) + $0 })
    }
  }

  private static func loader(
    _ counts: [Int32], _ order: DataOrder, batchSize: Int = 2, sequenceLength: Int = 3, seed: UInt64 = 1337
  ) throws -> DataLoader {
    try DataLoader(
      files: files(counts), batchSize: batchSize, sequenceLength: sequenceLength, vocabularySize: 2000,
      order: order, seed: seed)
  }

  /// The first token of each sequence of the next `count` batches.
  private static func starts(_ loader: inout DataLoader, _ count: Int) throws -> [Int32] {
    try (0..<count).flatMap { _ in
      try loader.nextBatch()
      let inputs = loader.inputs.array
      return (0..<loader.batchSize).map { inputs[$0 * loader.sequenceLength] }
    }
  }

  private static let orders: [DataOrder] = [.random, .shuffled]

  // MARK: - What a batch is

  @Test(arguments: orders)
  func eachRowIsAWindowOfOneFile(order: DataOrder) throws {
    let counts: [Int32] = [13, 3, 9, 4]
    var loader = try Self.loader(counts, order, batchSize: 3)
    #expect(loader.inputs.isEmpty && loader.targets.isEmpty)
    for _ in 0..<50 {
      try loader.nextBatch()
      let (inputs, targets) = (loader.inputs.array, loader.targets.array)
      #expect(inputs.count == 9 && targets.count == 9)
      for (index, input) in inputs.enumerated() {
        #expect(targets[index] == input + 1)
        if !index.isMultiple(of: 3) { #expect(input == inputs[index - 1] + 1) }
        #expect(targets[index] % 100 < counts[Int(input / 100)])
      }
    }
  }

  /// Places by SplitMix64's mixing, and orders by a Feistel network over it, from the formulas in another language: on
  /// every machine the same.
  @Test func placesAreThoseOfTheFormulas() throws {
    var random = try Self.loader([13, 3, 9], .random)
    #expect(try Self.starts(&random, 6) == [5, 204, 201, 1, 2, 205, 203, 7, 1, 202, 203, 201])
    var shuffled = try Self.loader([13, 3, 9, 25], .shuffled)
    #expect(
      try Self.starts(&shuffled, 14) == [
        203, 200, 312, 303, 306, 321, 309, 318, 315, 300, 0, 9, 6, 3,
        200, 203, 321, 312, 318, 315, 303, 300, 309, 306, 0, 6, 3, 9,
      ])
    var other = try Self.loader([13, 3, 9, 25], .shuffled, seed: 7)
    #expect(
      try Self.starts(&other, 7) == [0, 3, 6, 9, 303, 315, 309, 318, 321, 300, 306, 312, 200, 203])
    var long = try Self.loader([1000], .random, sequenceLength: 4, seed: 0)
    #expect(try Self.starts(&long, 4) == [490, 115, 274, 758, 767, 668, 298, 71])
  }

  // MARK: - How often

  /// 16 places, 2000 expected at each: six standard deviations of such a count are 260.
  @Test func randomWindowsBeginAnywhereAlikeOften() throws {
    var loader = try Self.loader([13, 3, 9], .random, batchSize: 4)
    var counts: [Int32: Int] = [:]
    for start in try Self.starts(&loader, 8000) { counts[start, default: 0] += 1 }
    #expect(counts.keys.sorted() == Array(0..<10) + Array(200..<206))
    #expect(counts.values.allSatisfy { abs($0 - 2000) < 260 }, "\(counts)")
  }

  /// Whatever the number of windows, which is none that divides a batch.
  @Test(arguments: 1...32 as ClosedRange<Int32>)
  func anEpochHasEachShuffledWindowOnce(windows: Int32) throws {
    var loader = try Self.loader([3 * windows + 2, 11], .shuffled, batchSize: 1)
    let all = (0..<windows).map { 3 * $0 } + [100, 103, 106]
    var seen: Set<[Int32]> = []
    for _ in 0..<3 {
      let starts = try Self.starts(&loader, all.count)
      #expect(starts.sorted() == all)
      // File by file: from one to the other once.
      #expect(zip(starts, starts.dropFirst()).count { ($0 < 100) != ($1 < 100) } == 1)
      seen.insert(starts)
    }
    if windows > 3 { #expect(seen.count == 3, "another order in each epoch") }
  }

  /// Five windows at five places, 600 expected in 3000 epochs: six standard deviations are 132.
  @Test func aShuffleHasNoFavourites() throws {
    var loader = try Self.loader([16], .shuffled, batchSize: 5)
    var counts: [[Int32]: Int] = [:]
    for _ in 0..<3000 {
      for (place, start) in try Self.starts(&loader, 1).enumerated() {
        counts[[Int32(place), start], default: 0] += 1
      }
    }
    #expect(counts.count == 25 && counts.values.allSatisfy { abs($0 - 600) < 132 }, "\(counts)")
  }

  @Test func anotherSeedIsAnotherOrder() throws {
    for order in Self.orders {
      let starts = try [1, 2, 1].map { (seed: UInt64) -> [Int32] in
        var loader = try Self.loader([60, 60], order, seed: seed)
        return try Self.starts(&loader, 10)
      }
      #expect(starts[0] != starts[1] && starts[0] == starts[2])
    }
  }

  // MARK: - Counting

  @Test func batchesOfAPassAndOfSeveral() throws {
    // 4 + 0 + 2 windows of 3; in sequence 2 + 0 + 1 batches of 2 × 3.
    for (order, one, three) in [(DataOrder.sequential, 3, 9), (.shuffled, 3, 9), (.random, 3, 9)] {
      let loader = try Self.loader([13, 3, 9], order)
      #expect(loader.batchCount == one && loader.batchCount(ofEpochs: 3) == three)
      #expect(loader.batchCount(ofEpochs: .max) == nil)
    }
    // What is left of a pass begins the next one's first batch, where windows are taken one by one.
    let counts: [Int32] = [16, 13]
    #expect(try Self.loader(counts, .shuffled).batchCount(ofEpochs: 2) == 9)
    #expect(try Self.loader(counts, .shuffled).batchCount == 4)
    #expect(try Self.loader(counts, .sequential).batchCount(ofEpochs: 2) == 8)
    #expect(try Self.loader([13, 3, 6, 4], .shuffled).shortFiles.map(\.count) == [3])
    #expect(try Self.loader([13, 3, 6, 4], .sequential).shortFiles.map(\.count) == [3, 6, 4])
  }

  // MARK: - Positions

  @Test(arguments: orders)
  func anotherLoaderGoesOnFromAPosition(order: DataOrder) throws {
    let counts: [Int32] = [20, 2, 13]
    var loader = try Self.loader(counts, order)
    for batch in 0..<12 {
      var resumed = try Self.loader(counts, order)
      try resumed.move(to: loader.position)
      #expect(resumed.position == loader.position && loader.position.window == 2 * batch)
      var uninterrupted = loader
      #expect(try Self.starts(&resumed, 9) == Self.starts(&uninterrupted, 9), "from batch \(batch)")
      #expect(resumed.position == uninterrupted.position)
      try loader.nextBatch()
    }
    var first = try Self.loader(counts, order)
    loader.reset()
    #expect(try Self.starts(&loader, 9) == Self.starts(&first, 9))
  }

  @Test func aPositionOfAnotherOrderOrSeedIsRefused() throws {
    var shuffled = try Self.loader([40, 30], .shuffled)
    try shuffled.nextBatch()
    let position = shuffled.position
    var others = try [Self.loader([40, 30], .sequential), Self.loader([40, 30], .shuffled, seed: 1)]
    let expected = ["one of sequential order", "that of window 2 in shuffled order"]
    for index in others.indices {
      let before = others[index].position
      let message = sentence { try others[index].move(to: position) } ?? ""
      #expect(message.hasPrefix("the position in the data should be \(expected[index]), but is token"))
      #expect(others[index].position == before)
    }
    for window in [-1, Int.max] {
      let message = sentence {
        try shuffled.move(to: .init(file: 0, token: 0, fileTokens: 40, window: window))
      }
      #expect(message?.contains("one of shuffled order") == true, "\(message ?? "")")
    }
    #expect(shuffled.position == position)
  }

  // MARK: - Bad input

  @Test(arguments: orders)
  func fewerWindowsThanABatch(order: DataOrder) throws {
    let needed = "a batch needs at least 5 sequences of 3 tokens and the one that follows, but the"
    #expect(
      sentence { _ = try Self.loader([15], order, batchSize: 5) } == "tokens: \(needed) file has 4.")
    #expect(
      sentence { _ = try Self.loader([0, 12, 3], order, batchSize: 5) }
        == "tokens and 2 more: \(needed) files have 3.")
    #expect(sentence { _ = try Self.loader([16], order, batchSize: 5) } == nil)
  }
}
