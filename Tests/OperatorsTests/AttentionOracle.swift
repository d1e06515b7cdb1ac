import Foundation
import Reference

/// The exact values of attention, and how far the kernels' may be from them.
///
/// Forward, for a query of `valid` keys in blocks of 128:
///
///     s = q·k/√hs           a GEMM over hs, then the scale: to base 2 it is rounded twice, as log₂e and the product of
///                           both are; for those who look twice, and once its product. At most 4 roundings: δs
///     e = 2^(s − m)         m is the largest score so far; a common shift cancels. A factor exp(2·max δs) for the
///                           scores, of which one is in the sum; ε·|s − m| for the rounding of the difference, and the
///                           exponential's own error, twice as well. What underflows becomes 0
///     Σ·2^(m_old − m)       at each later block: the exponential's error and a rounding. The steps of m and s − m add
///                           up to s − max, and so do the roundings of the differences
///     λ = m + log Σe        the sum's relative error is log's absolute one; log and + round once each
///     out = Σ e·v · (1/Σe)  a chain over a block's keys, a rounding for each later block; the reciprocal and the
///                           product round; masked keys are exact zeros
///
/// For those who look, p = exp(s − max)·(1/Σ) in one pass over the row: the sum in lanes, its reciprocal and the
/// product round.
///
/// With dropout a weight is multiplied by 0 or by a scale, which is rounded itself; so is what the gradient of a weight
/// is multiplied by.
///
/// Where products multiply bfloat16, operands that are computed (weights, out, dS, dqkv) are rounded once more, by up to
/// 2⁻⁸ of themselves; an odd last product has a partner of zeros, one more rounding; a link of two products takes its
/// sum and both results for 0 where they are below 2⁻¹²⁶.
struct AttentionOracle {
  let size: AttentionSize
  /// The relative error of an operand that is computed: 0 in float32.
  let operandError: Double
  let qkv: [Double]
  /// (B, NH, T, T), of dropout; nil: ones.
  let mask: [Double]?
  let kept: ReferenceAttention.Output<Double>
  /// (B, NH, T)
  private(set) var logSumExp, logSumExpBound: [Double]
  /// (B, NH, T, T)
  private(set) var scoreBound, weightBound: [Double]
  /// (B, T, C)
  private(set) var outBound: [Double]

  init(_ size: AttentionSize, _ values: [Float], operandError: Double = 0, mask: [Double]? = nil) {
    self.size = size
    self.operandError = operandError
    qkv = doubles(values)
    self.mask = mask
    kept = ReferenceAttention.forward(
      qkv, batchSize: size.batchSize, sequenceLength: size.sequenceLength, channels: size.channels,
      heads: size.heads, mask: mask)
    logSumExp = [Double](repeating: 0, count: size.rows)
    logSumExpBound = logSumExp
    scoreBound = [Double](repeating: 0, count: size.reference.scoreCount)
    weightBound = scoreBound
    outBound = [Double](repeating: 0, count: size.count)
    forEachRow { oracle, row in
      oracle.boundScores(row)
      oracle.boundSoftmax(row)
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
      scoreBound[row.scores + s] =
        rounded(productRoundings(size.headSize) + 4 + padding) * sum * scale + flushed(size.headSize)
    }
  }

  /// Roundings of a term that meets an odd last product's partner.
  private var padding: Int { operandError == 0 ? 0 : 1 }

  /// What dropout multiplies a weight by, and how often that rounds.
  private func factor(_ index: Int) -> Double { mask?[index] ?? 1 }
  private var factorRoundings: Int { mask == nil ? 0 : 2 }

  /// What a sum of so many products is off by where links take small numbers for 0.
  private func flushed(_ products: Int) -> Double {
    operandError == 0 ? 0 : Double(products + 1) * 2 * powerUnderflow
  }

  /// A bound after one more rounding to an operand.
  private func ofOperand(_ bound: Double, _ exact: Double) -> Double {
    operandError == 0 ? bound : bound + operandError * (abs(exact) + bound) + powerUnderflow
  }

  private mutating func boundSoftmax(_ row: Row) {
    let range = row.scores...row.scores + row.position
    let scores = kept.preattention[range]
    let (maximum, minimum) = (scores.max() ?? 0, scores.min() ?? 0)
    let sum = scores.reduce(0) { $0 + exp($1 - maximum) }
    let ofScores = scoreBound[range].max() ?? 0
    // |ŝ − max ŝ| ≤ max − min + 2δs.
    let ofShift = epsilon * (maximum - minimum + 2 * ofScores)
    let inLanes = laneRoundings(row.position + 1)

    let term = exp(ofScores + ofShift) * (1 + exponentialError)
    let weight = term * term * (1 + rounded(inLanes)) * (1 + rounded(2)) - 1
    for index in range { weightBound[index] = weight * kept.attention[index] + underflow }

    let rescalings = row.position / attentionBlock
    let power = pow(1 + powerError, Double(1 + rescalings))
    // The sum is at least 1 but for its roundings: 2 makes up for them.
    let ofFlushed = 2 * powerUnderflow * Double(row.position + 1)
    let relative = exp(ofShift) * power * (1 + rounded(inLanes + rescalings)) * (1 + ofFlushed) - 1
    let ofLog = relative / (1 - relative) * (1 + epsilon) + epsilon * log(sum)
    let error = ofScores + ofLog
    logSumExp[row.index] = maximum + log(sum)
    logSumExpBound[row.index] = error + epsilon * (abs(logSumExp[row.index]) + error)

    let mix = exp(2 * ofScores + ofShift) * power * (1 + relative) * (1 + rounded(2 + factorRoundings)) - 1
    // In bfloat16 of the weight, and of the sum of the weights that it is divided by, whose pairs end with each block.
    let pairs = operandError == 0 ? 0 : rounded(2 * (rescalings + 1))
    let operand = (1 + mix) * (1 + operandError) * (1 + operandError) * (1 + pairs) - 1
    boundOutput(row, weight: operand, flushed: 2 * powerUnderflow, rescalings: rescalings)
  }

  /// - Parameters:
  ///   - weight: the relative error of a weight; flushed: an absolute one.
  private mutating func boundOutput(_ row: Row, weight: Double, flushed: Double, rescalings: Int) {
    let ofSum = rounded(min(row.position + 1, attentionBlock) + rescalings + padding)
    for s in 0...row.position {
      let value = vector(row, s, part: 2)
      let exact = kept.attention[row.scores + s] * factor(row.scores + s)
      let error = (exact * weight + flushed * factor(row.scores + s)) * (1 + ofSum) + exact * ofSum
      // A product with a value may underflow as well.
      for i in 0..<size.headSize { outBound[row.output + i] += abs(qkv[value + i]) * error + underflow }
    }
    for i in row.output..<row.output + size.headSize {
      outBound[i] = ofOperand(outBound[i] + self.flushed(row.position + 1), kept.output[i])
    }
  }
}

extension AttentionOracle {
  /// How far dqkv may be off, given the exact output and log-sum-exp, each rounded once.
  ///
  ///     p   = 2^((s − λ)·log₂e)        δs, three roundings of λ·log₂e (its own among them), that of the difference,
  ///                                    the exponential's error; what underflows becomes 0
  ///     dp  = dout·v                   a GEMM over hs
  ///     d   = Σ dout·out               a sum in lanes of products with a rounded output
  ///     ds  = p·(dp/√hs − d/√hs)       the scale's two roundings, d's product, the difference, the last product
  ///     dq  = Σ ds·k                   chains over 128 keys each, added in order to those of at most four tasks,
  ///                                    which are added in order
  ///     dk, dv = Σ ds·q, Σ p·dout      chains over 128 queries each, added in order
  ///
  /// - Parameter expected: the exact dqkv.
  func gradientBound(_ dout: [Float], _ expected: [Double]) -> [Double] {
    var bound = [Double](repeating: 0, count: qkv.count)
    let gradient = doubles(dout)
    var oracle = self
    oracle.forEachRow { oracle, row in oracle.boundGradients(row, gradient, &bound) }
    return zip(bound, expected).map { ofOperand($0 + flushed(size.sequenceLength), $1) }
  }

  private func boundGradients(_ row: Row, _ dout: [Double], _ bound: inout [Double]) {
    let scale = 1 / Double(size.headSize).squareRoot()
    let query = vector(row, row.position, part: 0)
    let (block, keys) = (attentionBlock, row.position + 1)
    let ofKeys = rounded(min(keys, block) + (keys + block - 1) / block + 3 + padding)
    let ofQueries = rounded(block + (size.sequenceLength + block - 1) / block + padding)
    let outDot = dot(dout, row.output, kept.output, row.output)
    let outDotError =
      ((1 + rounded(laneRoundings(size.headSize) + 2)) * (1 + operandError) - 1) * outDot.magnitude
    for s in 0...row.position {
      let (key, value) = (vector(row, s, part: 1), vector(row, s, part: 2))
      let weight = kept.attention[row.scores + s]
      let weightError = weight * weightFactor(row, s) + powerUnderflow
      let factor = factor(row.scores + s)
      let valueWeight = weight * factor
      let ofFactor = rounded(factorRoundings)
      let valueError = ofOperand(
        weightError * factor * (1 + ofFactor) + valueWeight * ofFactor, valueWeight)
      let product = dot(dout, row.output, qkv, value)
      let difference = abs(product.value * factor - outDot.value)
      let differenceError =
        (rounded(productRoundings(size.headSize) + padding + factorRoundings) * product.magnitude
          + flushed(size.headSize)) * factor + outDotError
      let score = scale * weight * difference
      let reached = scale * (weight + weightError) * (difference + differenceError) * (1 + rounded(4))
      let scoreError = ofOperand(reached - score, score)
      for i in 0..<size.headSize {
        bound[query + i] += abs(qkv[key + i]) * (scoreError * (1 + ofKeys) + score * ofKeys)
        bound[key + i] += abs(qkv[query + i]) * (scoreError * (1 + ofQueries) + score * ofQueries)
        bound[value + i] +=
          abs(dout[row.output + i]) * (valueError * (1 + ofQueries) + valueWeight * ofQueries)
      }
    }
  }

  /// The relative error of a weight that is rebuilt from λ.
  private func weightFactor(_ row: Row, _ s: Int) -> Double {
    let shift = logSumExp[row.index]
    let (score, error) = (kept.preattention[row.scores + s], scoreBound[row.scores + s])
    let exponent = error + rounded(3) * abs(shift)
    let difference = abs(score - shift) + exponent
    return exp(exponent + epsilon * difference) * (1 + powerError) - 1
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
