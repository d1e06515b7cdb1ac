/// Products of bfloat16 with sums in float32, in plain loops: where numbers are rounded, and in which of two orders they
/// are added.
///
/// Operands are numbers that bfloat16 holds, as Floats. Finite numbers only: what a NaN becomes is not specified here.
public enum ReferencePairs {
  /// As AVX512_BF16's instruction adds, or as AMX's does.
  public enum Order { case pairs, tiles }

  /// In the order of pairs: products of a chain, two to a link.
  public static let chainLength = 768

  /// In the order of tiles: products of a link.
  public static let tileLinkLength = 32

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

  /// One link in the order of tiles: the even products of 32 and the odd ones, each multiplied and added with one
  /// rounding, from 0 on; the two sums; what they are added to.
  public static func tileLink(_ sum: Float, _ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Float {
    var (even, odd): (Float, Float) = (0, 0)
    for (left, right) in zip(
      stride(from: a.startIndex, to: a.endIndex, by: 2), stride(from: b.startIndex, to: b.endIndex, by: 2))
    {
      even = fused(a[left], b[right], even)
      odd = fused(a[left + 1], b[right + 1], odd)
    }
    return flushed(flushed(sum) + flushed(even + odd))
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
    rows: Int, columns: Int, depth: Int, order: Order = .pairs, a: (Int, Int) -> Float,
    b: (Int, Int) -> Float,
    bias: [Float]? = nil, addedTo before: [Float]? = nil
  ) -> [Float] {
    // Zeros where the last link ends.
    let length = order == .pairs ? 2 : tileLinkLength
    let zeros = [Float](repeating: 0, count: (length - depth % length) % length)
    let left = (0..<rows).map { m in (0..<depth).map { operand(a(m, $0)) } + zeros }
    let right = (0..<columns).map { n in (0..<depth).map { operand(b($0, n)) } + zeros }
    let sum = order == .pairs ? sumOfPairs : sumOfTiles
    return (0..<rows).flatMap { m in
      (0..<columns).map { n in sum(left[m], right[n], bias?[n], before?[m * columns + n]) }
    }
  }

  private static func sumOfPairs(_ a: [Float], _ b: [Float], bias: Float?, addedTo before: Float?) -> Float {
    var total: Float?
    for start in stride(from: 0, to: a.count, by: chainLength) {
      var chain: Float = 0
      for k in stride(from: start, to: min(a.count, start + chainLength), by: 2) {
        chain = link(chain, (a[k], a[k + 1]), (b[k], b[k + 1]))
      }
      if let sum = total { total = sum + chain }
      if total == nil, let bias { chain += bias }
      if total == nil { total = before.map { $0 + chain } ?? chain }
    }
    return total ?? 0
  }

  private static func sumOfTiles(_ a: [Float], _ b: [Float], bias: Float?, addedTo before: Float?) -> Float {
    var sum = before ?? 0
    for start in stride(from: 0, to: a.count, by: tileLinkLength) {
      let link = start..<start + tileLinkLength
      sum = tileLink(sum, a[link], b[link])
    }
    return bias.map { sum + $0 } ?? sum
  }
}

extension ReferenceLinear {
  /// `forward` of operands in bfloat16.
  public static func pairedForward(
    _ input: [Float], weight: [Float], bias: [Float]?, rows: Int, inputChannels: Int, outputChannels: Int,
    order: ReferencePairs.Order = .pairs
  ) -> [Float] {
    ReferencePairs.product(
      rows: rows, columns: outputChannels, depth: inputChannels, order: order,
      a: { input[$0 * inputChannels + $1] },
      b: { weight[$1 * inputChannels + $0] }, bias: bias)
  }

  /// `backwardInput` of operands in bfloat16.
  public static func pairedBackwardInput(
    _ dout: [Float], weight: [Float], rows: Int, inputChannels: Int, outputChannels: Int,
    order: ReferencePairs.Order = .pairs
  ) -> [Float] {
    ReferencePairs.product(
      rows: rows, columns: inputChannels, depth: outputChannels, order: order,
      a: { dout[$0 * outputChannels + $1] },
      b: { weight[$0 * inputChannels + $1] })
  }

  /// `backwardWeight` of operands in bfloat16: what is added to `before`, or overwrites nil.
  public static func pairedBackwardWeight(
    _ dout: [Float], input: [Float], rows: Int, inputChannels: Int, outputChannels: Int, before: [Float]?,
    order: ReferencePairs.Order = .pairs
  ) -> [Float] {
    ReferencePairs.product(
      rows: outputChannels, columns: inputChannels, depth: rows, order: order,
      a: { dout[$1 * outputChannels + $0] },
      b: { input[$0 * inputChannels + $1] }, addedTo: before)
  }
}
