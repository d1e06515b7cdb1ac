/// Products of bfloat16 with sums in float32, in plain loops: where numbers are rounded, and in which order they are
/// added.
///
/// Operands are numbers that bfloat16 holds, as Floats. Finite numbers only: what a NaN becomes is not specified here.
public enum ReferencePairs {
  /// Products of a chain, two to a link.
  public static let chainLength = 768

  /// The operand that is made of a number: the nearest of 8 significant bits, of two the even one; what is smaller than
  /// any normal number becomes a zero of its sign.
  public static func operand(_ x: Float) -> Float {
    let x = flushed(x)
    let odd = x.bitPattern >> 16 & 1
    return Float(bitPattern: (x.bitPattern + 0x7FFF + odd) & 0xFFFF_0000)
  }

  /// One link: the odd products, then the even ones, each multiplied and added with one rounding.
  public static func link(_ sum: Float, _ a: (even: Float, odd: Float), _ b: (even: Float, odd: Float))
    -> Float
  {
    fused(a.even, b.even, fused(a.odd, b.odd, sum))
  }

  /// a·b + c, rounded once; zero, with its sign, where that would be smaller than any normal number with 24 significant
  /// bits.
  private static func fused(_ a: Float, _ b: Float, _ c: Float) -> Float {
    let (a, b, c) = (flushed(a), flushed(b), flushed(c))
    let sum = c.addingProduct(a, b)
    if sum.magnitude == .leastNormalMagnitude {
      // A denormal number has fewer bits, and may have been rounded up: the same sum where it has all.
      let (small, large) = a.magnitude < b.magnitude ? (a, b) : (b, a)
      let scaled = (c * 0x1p64).addingProduct(small * 0x1p64, large)
      return scaled.magnitude < 0x1p-62 ? Float(signOf: sum, magnitudeOf: 0) : sum
    }
    return flushed(sum)
  }

  private static func flushed(_ x: Float) -> Float {
    x.magnitude < .leastNormalMagnitude ? Float(signOf: x, magnitudeOf: 0) : x
  }

  /// C (M, N) = A·B + bias, or C + A·B.
  ///
  /// - Parameters:
  ///   - a: element (m, k). b: element (k, n). Rounded to operands here.
  ///   - bias: (N), or nil. before: C, or nil where it is overwritten.
  public static func product(
    rows: Int, columns: Int, depth: Int, a: (Int, Int) -> Float, b: (Int, Int) -> Float, bias: [Float]? = nil,
    addedTo before: [Float]? = nil
  ) -> [Float] {
    let left = (0..<rows).map { m in (0..<depth).map { operand(a(m, $0)) } + [0] }
    let right = (0..<columns).map { n in (0..<depth).map { operand(b($0, n)) } + [0] }
    var c = [Float](repeating: 0, count: rows * columns)
    for m in 0..<rows {
      for n in 0..<columns {
        var total: Float?
        for start in stride(from: 0, to: depth, by: chainLength) {
          var chain: Float = 0
          for k in stride(from: start, to: min(depth, start + chainLength), by: 2) {
            chain = link(chain, (left[m][k], left[m][k + 1]), (right[n][k], right[n][k + 1]))
          }
          if let sum = total { total = sum + chain }
          if total == nil, let bias { chain += bias[n] }
          if total == nil { total = before.map { $0[m * columns + n] + chain } ?? chain }
        }
        c[m * columns + n] = total ?? 0
      }
    }
    return c
  }
}

extension ReferenceLinear {
  /// `forward` of operands in bfloat16.
  public static func pairedForward(
    _ input: [Float], weight: [Float], bias: [Float]?, rows: Int, inputChannels: Int, outputChannels: Int
  ) -> [Float] {
    ReferencePairs.product(
      rows: rows, columns: outputChannels, depth: inputChannels, a: { input[$0 * inputChannels + $1] },
      b: { weight[$1 * inputChannels + $0] }, bias: bias)
  }

  /// `backwardInput` of operands in bfloat16.
  public static func pairedBackwardInput(
    _ dout: [Float], weight: [Float], rows: Int, inputChannels: Int, outputChannels: Int
  ) -> [Float] {
    ReferencePairs.product(
      rows: rows, columns: inputChannels, depth: outputChannels, a: { dout[$0 * outputChannels + $1] },
      b: { weight[$0 * inputChannels + $1] })
  }

  /// `backwardWeight` of operands in bfloat16: what is added to `before`, or overwrites nil.
  public static func pairedBackwardWeight(
    _ dout: [Float], input: [Float], rows: Int, inputChannels: Int, outputChannels: Int, before: [Float]?
  ) -> [Float] {
    ReferencePairs.product(
      rows: outputChannels, columns: inputChannels, depth: rows, a: { dout[$1 * outputChannels + $0] },
      b: { input[$0 * inputChannels + $1] }, addedTo: before)
  }
}
