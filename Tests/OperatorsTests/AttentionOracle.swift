import Foundation
import Reference

/// The exact values of attention, and how far the kernels' may be from them.
///
/// Forward, for a query of `valid` keys:
///
///     s = q·k/√hs           a GEMM over hs, then the scale, which is rounded twice, and its product: δs
///     e = exp(s − max)      a common shift cancels. A factor exp(2·max δs) for the scores, of which one is in the sum;
///                           ε·|s − max| for the rounding of the difference, and exp's own error, twice as well
///     p = e·(1/Σe)          the sum in lanes, its reciprocal and the product round
///     λ = max + log Σe      the sum's relative error is log's absolute one; log and + round once each
///     out = Σ p·v           a GEMM over the keys; masked ones are exact zeros
struct AttentionOracle {
  let size: AttentionSize
  let qkv: [Double]
  let kept: ReferenceAttention.Output<Double>
  /// (B, NH, T)
  private(set) var logSumExp, logSumExpBound: [Double]
  /// (B, NH, T, T)
  private(set) var scoreBound, weightBound: [Double]
  /// (B, T, C)
  private(set) var outBound: [Double]

  init(_ size: AttentionSize, _ values: [Float]) {
    self.size = size
    qkv = doubles(values)
    kept = ReferenceAttention.forward(
      qkv, batchSize: size.batchSize, sequenceLength: size.sequenceLength, channels: size.channels,
      heads: size.heads)
    logSumExp = [Double](repeating: 0, count: size.rows)
    logSumExpBound = logSumExp
    scoreBound = [Double](repeating: 0, count: size.reference.scoreCount)
    weightBound = scoreBound
    outBound = [Double](repeating: 0, count: size.count)
    forEachRow { oracle, row in
      oracle.boundScores(row)
      oracle.boundSoftmax(row)
      oracle.boundOutput(row)
    }
  }

  /// One query of one head.
  struct Row {
    let batch, head, position: Int
    /// Where it lies in (B, NH, T), (B, NH, T, T) and (B, T, C).
    let index, scores, output: Int
  }

  private mutating func forEachRow(_ body: (inout AttentionOracle, Row) -> Void) {
    for batch in 0..<size.batchSize {
      for head in 0..<size.heads {
        for position in 0..<size.sequenceLength {
          let scores = size.reference.row(batch, position, head: head)
          let row = Row(
            batch: batch, head: head, position: position, index: scores / size.sequenceLength, scores: scores,
            output: size.reference.output(batch, position, head: head))
          body(&self, row)
        }
      }
    }
  }

  /// Where the query (part 0), key (1) or value (2) of a position begins.
  private func vector(_ row: Row, _ position: Int, part: Int) -> Int {
    size.reference.vector(row.batch, position, head: row.head, part: part)
  }

  private mutating func boundScores(_ row: Row) {
    let query = vector(row, row.position, part: 0)
    let scale = 1 / Double(size.headSize).squareRoot()
    for s in 0...row.position {
      let key = vector(row, s, part: 1)
      var sum = 0.0
      for i in 0..<size.headSize { sum += abs(qkv[query + i] * qkv[key + i]) }
      scoreBound[row.scores + s] = rounded(productRoundings(size.headSize) + 3) * sum * scale
    }
  }

  private mutating func boundSoftmax(_ row: Row) {
    let range = row.scores...row.scores + row.position
    let scores = kept.preattention[range]
    let (maximum, minimum) = (scores.max() ?? 0, scores.min() ?? 0)
    let sum = scores.reduce(0) { $0 + exp($1 - maximum) }
    let ofScores = scoreBound[range].max() ?? 0
    // |ŝ − max ŝ| ≤ max − min + 2δs.
    let ofShift = epsilon * (maximum - minimum + 2 * ofScores)
    let term = exp(ofScores + ofShift) * (1 + exponentialError)
    let ofSum = rounded(laneRoundings(row.position + 1))
    let weight = term * term * (1 + ofSum) * (1 + rounded(2)) - 1
    for index in range { weightBound[index] = weight * kept.attention[index] + underflow }
    let relative = exp(ofShift) * (1 + exponentialError) * (1 + ofSum) - 1
    let ofLog = relative / (1 - relative) * (1 + epsilon) + epsilon * log(sum)
    let error = ofScores + ofLog
    logSumExp[row.index] = maximum + log(sum)
    logSumExpBound[row.index] = error + epsilon * (abs(logSumExp[row.index]) + error)
  }

  private mutating func boundOutput(_ row: Row) {
    let ofSum = rounded(productRoundings(row.position + 1))
    for s in 0...row.position {
      let value = vector(row, s, part: 2)
      let (weight, error) = (kept.attention[row.scores + s], weightBound[row.scores + s])
      for i in 0..<size.headSize {
        outBound[row.output + i] += abs(qkv[value + i]) * (error * (1 + ofSum) + weight * ofSum)
      }
    }
  }
}

extension AttentionOracle {
  /// How far dqkv may be off, given the exact output and log-sum-exp, each rounded once.
  ///
  ///     p   = exp(s − λ)               δs, the roundings of λ and of the difference, exp's error
  ///     dp  = dout·v                   a GEMM over hs
  ///     d   = Σ dout·out               a sum in lanes of products with a rounded output
  ///     ds  = p·(dp − d)/√hs           the difference, two products, the scale's two roundings
  ///     dq  = Σ ds·k                   a GEMM over the keys
  ///     dk, dv = Σ ds·q, Σ p·dout      GEMMs over 64 queries each, added in order
  func gradientBound(_ dout: [Float]) -> [Double] {
    var bound = [Double](repeating: 0, count: qkv.count)
    let gradient = doubles(dout)
    var oracle = self
    oracle.forEachRow { oracle, row in oracle.boundGradients(row, gradient, &bound) }
    return bound
  }

  private func boundGradients(_ row: Row, _ dout: [Double], _ bound: inout [Double]) {
    let scale = 1 / Double(size.headSize).squareRoot()
    let query = vector(row, row.position, part: 0)
    let ofKeys = rounded(productRoundings(row.position + 1))
    let ofQueries = rounded(64 + (size.sequenceLength + 63) / 64)
    let outDot = dot(dout, row.output, kept.output, row.output)
    let outDotError = rounded(laneRoundings(size.headSize) + 1) * outDot.magnitude
    for s in 0...row.position {
      let (key, value) = (vector(row, s, part: 1), vector(row, s, part: 2))
      let weight = kept.attention[row.scores + s]
      let weightError = weight * weightFactor(row, s) + underflow
      let product = dot(dout, row.output, qkv, value)
      let difference = abs(product.value - outDot.value)
      let differenceError = rounded(productRoundings(size.headSize)) * product.magnitude + outDotError
      let score = scale * weight * difference
      let reached = scale * (weight + weightError) * (difference + differenceError) * (1 + rounded(5))
      let scoreError = reached - score
      for i in 0..<size.headSize {
        bound[query + i] += abs(qkv[key + i]) * (scoreError * (1 + ofKeys) + score * ofKeys)
        bound[key + i] += abs(qkv[query + i]) * (scoreError * (1 + ofQueries) + score * ofQueries)
        bound[value + i] +=
          abs(dout[row.output + i]) * (weightError * (1 + ofQueries) + weight * ofQueries)
      }
    }
  }

  /// The relative error of a weight that is rebuilt from λ.
  private func weightFactor(_ row: Row, _ s: Int) -> Double {
    let shift = logSumExp[row.index]
    let (score, error) = (kept.preattention[row.scores + s], scoreBound[row.scores + s])
    let exponent = error + epsilon * abs(shift)
    let difference = abs(score - shift) + exponent
    return exp(exponent + epsilon * difference) * (1 + exponentialError) - 1
  }

  private func dot(
    _ a: [Double], _ aStart: Int, _ b: [Double], _ bStart: Int
  ) -> (value: Double, magnitude: Double) {
    var (value, magnitude) = (0.0, 0.0)
    for i in 0..<size.headSize {
      let product = a[aStart + i] * b[bStart + i]
      value += product
      magnitude += abs(product)
    }
    return (value, magnitude)
  }
}
