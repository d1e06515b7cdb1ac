/// The softmax of attention in float32, to the bit: its power of two, its sums in lanes, its logarithm.
enum ReferenceSoftmax {
  static let log2E: Float = 1.44269504088896341

  static func scale(_ headSize: Int) -> Float { 1 / Float(headSize).squareRoot() }

  /// Scores are powers of two: 2^(s·log₂e/√hs) = exp(s/√hs).
  static func binaryScale(_ headSize: Int) -> Float { scale(headSize) * log2E }

  /// 2ˣ, x ≤ 127: 2ⁿ times a polynomial of degree 6 for 2ʳ, |r| ≤ ½; 0 below x = −126.5.
  static func powerOfTwo(_ x: Float) -> Float {
    let x = max(x, -127)
    let nearest = x.rounded(.toNearestOrEven)
    let r = x - nearest
    let coefficients: [Float] = [
      0.00015326461, 0.0013390806, 0.009618506, 0.0555036, 0.24022648, 0.6931472, 1,
    ]
    let polynomial = coefficients.dropFirst().reduce(coefficients[0]) { $1.addingProduct($0, r) }
    return polynomial * (nearest == -127 ? 0 : Float(sign: .plus, exponent: Int(nearest), significand: 1))
  }

  /// log Σ exp of scores to base 2, the largest of which has been taken away from each.
  static func logSumExp(largest: Float, sum: Float) -> Float {
    Float(Double(largest) * 0.693147180559945309417 + Double(log(sum)))
  }

  /// log x = n·ln 2 + 2·atanh((f − 1)/(f + 1)), x = 2ⁿ·f, √½ ≤ f < √2.
  private static func log(_ x: Float) -> Float {
    var (n, f) = (Int(x.exponent), Double(x.significand))
    if x.significand.bitPattern >= (0x3F35_04F3 as UInt32) &+ 0x0080_0000 { (n, f) = (n + 1, f / 2) }
    let z = (f - 1) / (f + 1)
    let (square, powers) = (z * z, stride(from: 17, through: 1, by: -2))
    let series = powers.reduce(0.0) { $0 * square + 1.0 / Double($1) }
    return Float(Double(n) * 0.693147180559945309417 + 2 * z * series)
  }

  /// Sums of a row: element i in lane i mod 16, then lanes i and i + 8, i + 4, i + 2, i + 1.
  struct Lanes {
    private var lanes = [Float](repeating: 0, count: 16)

    mutating func add(_ x: Float, at index: Int) { lanes[index % 16] += x }
    mutating func add(_ x: Float, _ y: Float, at index: Int) { lanes[index % 16].addProduct(x, y) }
    /// A link of products with 1.
    mutating func add(_ even: Float, _ odd: Float, ofPair index: Int) {
      lanes[index % 16] = ReferencePairs.link(lanes[index % 16], (even, odd), (1, 1))
    }
    mutating func scale(by factor: Float) { for lane in 0..<16 { lanes[lane] *= factor } }

    var sum: Float {
      var (sums, half) = (lanes, 8)
      while half > 0 {
        for lane in 0..<half { sums[lane] += sums[lane + half] }
        half /= 2
      }
      return sums[0]
    }
  }
}
