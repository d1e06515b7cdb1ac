import Foundation
import GPT2
import TestSupport
import Testing
import Tokens

@Suite struct SamplingFilterTests {
  private func options(_ change: (inout SamplingOptions) -> Void) -> SamplingOptions {
    var options = SamplingOptions()
    change(&options)
    return options
  }

  /// The tokens that some coin picks, by a sweep over coins.
  private func picked(
    _ logits: [Float], after tokens: [Int32] = [], _ change: (inout SamplingOptions) -> Void
  ) -> Set<Int> {
    let options = options(change)
    return Set(
      (0..<1000).map { coin in
        Sampler.pick(logits.span, after: tokens, options: options, coin: Float(coin) / 1000)
      })
  }

  /// Logits whose probabilities are `weights` over their sum.
  private func logits(_ weights: [Double]) -> [Float] { weights.map { Float(log($0)) } }

  @Test func defaultsAreThePlainSampler() {
    var random = TestRandom(seed: 60)
    for _ in 0..<200 {
      let logits: [Float] = random.normal(300, deviation: 3)
      let coin = Float(random.unit())
      #expect(
        Sampler.pick(logits.span, after: [1, 2], options: SamplingOptions(), coin: coin)
          == Sampler.sample(logits.span, coin: coin))
    }
  }

  @Test func temperatureZeroIsTheFirstOfTheLikeliest() {
    let greedy = options { $0.temperature = 0 }
    #expect(Sampler.pick([1, 3, 2, 3].span, after: [], options: greedy, coin: 0.99) == 1)
    #expect(Sampler.pick([-.infinity, -.infinity].span, after: [], options: greedy, coin: 0) == 0)
    #expect(Sampler.pick([.nan, -5, .nan].span, after: [], options: greedy, coin: 0) == 1)
    #expect(Sampler.pick([.nan, .nan].span, after: [], options: greedy, coin: 0) == 0)
  }

  /// Probabilities 1/3 and 2/3 become 1/5 and 4/5 at a half, √1 : √2 at two; near 0 the likeliest share all.
  @Test func temperatureSharpensAndFlattens() {
    let logits = logits([1, 2])
    for (temperature, share) in [(0.5, 0.2), (1, 1.0 / 3), (2, 1 / (1 + 2.0.squareRoot()))] {
      let options = options { $0.temperature = temperature }
      for (coin, token) in [(share - 1e-4, 0), (share + 1e-4, 1)] {
        #expect(Sampler.pick(logits.span, after: [], options: options, coin: Float(coin)) == token)
      }
    }
    for temperature in [1e-300, 1e-40, 1e-3] {
      #expect(picked([4, 5, 5, -1]) { $0.temperature = temperature } == [1, 2])
    }
  }

  @Test(
    arguments: [
      (1, [3]), (2, [1, 3]), (3, [0, 1, 3]), (4, [0, 1, 3, 4]), (6, [0, 1, 2, 3, 4, 5]),
      (7, [0, 1, 2, 3, 4, 5]), (50257, [0, 1, 2, 3, 4, 5]), (0, [0, 1, 2, 3, 4, 5]),
    ] as [(Int, Set<Int>)])
  func topKKeepsTheFirstOfEquals(count: Int, kept: Set<Int>) {
    // 5 > 4 > three equal ones (0, 4 and 5 by place) > 1.
    let logits = [2, 4, 1, 5, 2, 2].map { Float(log(Double($0))) }
    #expect(picked(logits) { $0.topK = count } == kept)
  }

  @Test func topKTakesZerosOfBothSignsForEqual() {
    #expect(picked([-0.0, 0, -0.0, -9]) { $0.topK = 2 } == [0, 1])
    #expect(picked([.nan, -3, -2, .nan]) { $0.topK = 2 } == [1, 2])
    #expect(picked([-.infinity, 0, -.infinity]) { $0.topK = 2 } == [1])
  }

  /// Probabilities 0.4, 0.1, 0.2, 0.2, 0.1.
  @Test(
    arguments: [
      (0.1, [0]), (0.39, [0]), (0.41, [0, 2]), (0.59, [0, 2]), (0.61, [0, 2, 3]), (0.79, [0, 2, 3]),
      (0.81, [0, 1, 2, 3]), (0.91, [0, 1, 2, 3, 4]), (1, [0, 1, 2, 3, 4]),
    ] as [(Double, Set<Int>)])
  func topPKeepsTheFewestThatReachIt(probability: Double, kept: Set<Int>) {
    #expect(picked(logits([4, 1, 2, 2, 1])) { $0.topP = probability } == kept)
  }

  @Test(
    arguments: [
      (0, [0, 1, 2, 3]), (0.24, [0, 1, 2, 3]), (0.26, [0, 2]), (0.49, [0, 2]), (0.51, [0]), (1, [0]),
    ] as [(Double, Set<Int>)])
  func minPComparesWithTheLikeliest(part: Double, kept: Set<Int>) {
    #expect(picked(logits([4, 1, 2, 1])) { $0.minP = part } == kept)
  }

  /// Both filters, on what the one before leaves: of 4, 3 and 2, whose sum is 9, 4 and 3 reach three quarters.
  @Test func filtersFollowEachOther() {
    let logits = logits([4, 1, 2, 3, 1])
    #expect(
      picked(logits) {
        $0.topK = 3
        $0.topP = 0.75
      } == [0, 3])
    #expect(
      picked(logits) {
        $0.topP = 0.9
        $0.minP = 0.6
      } == [0, 3])
  }

  /// Divided where positive, multiplied where negative, once however often a token is there.
  @Test func repetitionPenaltyByHand() {
    func greedy(_ logits: [Float], after tokens: [Int32], _ penalty: Double) -> Int {
      let options = options {
        $0.temperature = 0
        $0.repetitionPenalty = penalty
      }
      return Sampler.pick(logits.span, after: tokens, options: options, coin: 0)
    }
    // 4/2 = 2 < 3.
    #expect(greedy([4, 3, 1], after: [0, 0, 0], 2) == 1)
    #expect(greedy([4, 3, 1], after: [], 2) == 0)
    // 6/2 = 3, a tie with the second: the first wins.
    #expect(greedy([6, 3, 1], after: [0], 2) == 0)
    // −1·3 = −3 < −2.
    #expect(greedy([-1, -2], after: [0], 3) == 1)
    // Below 1 what is there becomes likelier; ids outside the vocabulary are nobody's.
    #expect(greedy([4, 3], after: [1, -1, 77], 0.5) == 1)
  }

  /// Against a plain sort, with ties and any number of digits.
  @Test func selectionIsThatOfASort() {
    var random = TestRandom(seed: 61)
    for round in 0..<50 {
      let normal: [Float] = random.normal(200, deviation: 4)
      let logits = normal.map { round % 2 == 0 ? $0 : ($0 * 2).rounded() / 2 }
      let count = 1 + Int(random.next() % 199)
      let sorted = logits.indices.sorted { (logits[$0], $1) > (logits[$1], $0) }
      let others = Set(logits.indices).subtracting(sorted.prefix(count))
      let options = options { $0.topK = count }
      var tokens: Set<Int> = []
      for _ in 0..<100 {
        tokens.insert(Sampler.pick(logits.span, after: [], options: options, coin: Float(random.unit())))
      }
      #expect(tokens.isDisjoint(with: others), "the \(count) largest")
    }
  }

  /// Nothing traps, whatever the logits.
  @Test func logitsThatAreNoNumbers() {
    let all: [[Float]] = [
      [.nan, .nan], [.nan, 1], [.infinity, 1, .nan], [-.infinity, -.infinity], [.infinity, .infinity], [0],
    ]
    for logits in all {
      for topK in [0, 1, 2] {
        for topP in [0.5, 1] {
          for temperature in [0, 0.5, 1] {
            let options = options {
              $0.topK = topK
              $0.topP = topP
              $0.minP = 0.1
              $0.temperature = temperature
              $0.repetitionPenalty = 1.5
            }
            let token = Sampler.pick(logits.span, after: [0], options: options, coin: 0.5)
            #expect(logits.indices.contains(token))
          }
        }
      }
    }
  }

  @Test func optionsOutsideTheirRangesAreRefused() throws {
    let changes: [(String, (inout SamplingOptions) -> Void)] = [
      ("temperature", { $0.temperature = -1 }), ("temperature", { $0.temperature = .nan }),
      ("temperature", { $0.temperature = .infinity }), ("top-k", { $0.topK = -1 }),
      ("top-p", { $0.topP = 0 }),
      ("top-p", { $0.topP = 1.1 }), ("min-p", { $0.minP = -0.1 }), ("min-p", { $0.minP = .nan }),
      ("penalty", { $0.repetitionPenalty = 0 }), ("penalty", { $0.repetitionPenalty = .infinity }),
    ]
    for (name, change) in changes {
      let text = sentence { try options(change).check() } ?? ""
      #expect(text.contains(name) && text.contains(" should be "), "\(name): \(text)")
    }
    try SamplingOptions().check()
  }

  /// −log Σ exp(l − l[t]) by the library's functions.
  @Test func logProbabilities() {
    let logits: [Float] = [1, -2, 0.5, 3]
    let sum = logits.reduce(0.0) { $0 + exp(Double($1)) }
    for token in logits.indices {
      let expected = Double(logits[token]) - log(sum)
      #expect(abs(Sampler.logProbability(of: token, logits.span) - expected) < 1e-14)
    }
  }
}
