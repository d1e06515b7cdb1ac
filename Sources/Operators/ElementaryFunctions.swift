/// log, cos and sin of one Double, from +, −, ·, ÷ and the fused multiply-add alone: IEEE 754 defines each of these to
/// the last bit, so every machine gives the same results, whatever its C library. For initialisation and schedules;
/// logarithms and exponentials of tensors are the kernels'.
package enum ElementaryFunctions {
  /// The natural logarithm.
  ///
  ///     x = 2ᵏ·m, √½ ≤ m < √2      f = m − 1, s = f / (2 + f), z = s²
  ///     log m = 2·atanh s = f − (½f² − s·(½f² + R)),      R = ⅔z + ⅖z² + … + 2/21·z¹⁰
  ///
  /// for 2s = f − s·f and s·f = ½f² − s·½f². f is exact. |s| ≤ 3 − 2√2, so that the terms left out are below 2⁻⁶⁰ of
  /// log m.
  ///
  /// - Returns: −∞ of ±0, NaN of what is negative or NaN, ∞ of ∞.
  /// - Accuracy: within 1 ulp, subnormal arguments included. The roundings of ½f², of the bracket about it and of
  ///   s·(½f² + R) are below 0.35 ulp together, the last one is ½. That of log m counts where k ≠ 0: ½ where the last
  ///   one is none (k = ±1, |log m| ≥ ¼ and a result below ½), else ¼, and then the others are below 0.2.
  ///   `ElementaryFunctionsTests` enforces it.
  /// - Complexity: one division, 15 multiplications and additions.
  /// - SeeAlso: Tang 1990, doi:10.1145/98267.98294.
  package static func log(_ x: Double) -> Double {
    guard x > 0 else { return x == 0 ? -.infinity : .nan }
    guard x < .infinity else { return x }
    let isSubnormal = x < .leastNormalMagnitude
    let bits = (isSubnormal ? x * 0x1p54 : x).bitPattern
    // Halves of binades change at √½: taking its bits away leaves k in the exponent's place, rounded down.
    let k = Int64(bitPattern: bits &- 0.5.squareRoot().bitPattern) >> 52
    let f = Double(bitPattern: bits &- UInt64(bitPattern: k) << 52) - 1
    let exponent = Double(isSubnormal ? k - 54 : k)

    let s = f / (2 + f)
    let z = s * s
    var series = (2.0 / 19).addingProduct(2.0 / 21, z)
    series = (2.0 / 17).addingProduct(series, z)
    series = (2.0 / 15).addingProduct(series, z)
    series = (2.0 / 13).addingProduct(series, z)
    series = (2.0 / 11).addingProduct(series, z)
    series = (2.0 / 9).addingProduct(series, z)
    series = (2.0 / 7).addingProduct(series, z)
    series = (2.0 / 5).addingProduct(series, z)
    series = (2.0 / 3).addingProduct(series, z)
    let half = 0.5 * f * f
    let correction = (s * half.addingProduct(series, z)).addingProduct(exponent, logOf2.low)
    return (f - (half - correction)).addingProduct(exponent, logOf2.high)
  }

  /// The cosine.
  ///
  /// - Precondition: |x| ≤ 2²⁰, so x is no NaN.
  /// - Accuracy: within 1 ulp: ½ of the result's rounding, and 0.1 of what is added to 1 − ½r², or 0.36 as in `sin`.
  ///   `ElementaryFunctionsTests` enforces it.
  /// - Complexity: about 30 multiplications and additions.
  package static func cos(_ x: Double) -> Double {
    let (quarter, r, rest) = reduced(x)
    let size = quarter & 1 == 0 ? centralCosine(r, rest) : centralSine(r, rest)
    return (quarter + 1) & 2 == 0 ? size : -size
  }

  /// The sine; of ±0 it is ±0.
  ///
  /// - Precondition: |x| ≤ 2²⁰, so x is no NaN.
  /// - Accuracy: within 1 ulp: ½ of the result's rounding, and at most 0.36 of the five roundings of what is added to
  ///   r, which is at most 0.081 where the result is ½ or more. `ElementaryFunctionsTests` enforces it.
  /// - Complexity: about 30 multiplications and additions.
  package static func sin(_ x: Double) -> Double {
    // x³/6 is less than a sixth of an ulp there, and zeros keep their sign.
    if x.magnitude < 0x1p-27 { return x }
    let (quarter, r, rest) = reduced(x)
    let size = quarter & 1 == 0 ? centralSine(r, rest) : centralCosine(r, rest)
    return quarter & 2 == 0 ? size : -size
  }

  private static let logOf2 = (high: 0x1.62e42fefa39efp-1, low: 0x1.abc9e3b39803fp-56)

  /// π/2 to 161 bits: each part is the Double nearest to what those before it leave.
  private static let halfPi = (
    high: 0x1.921fb54442d18p0, middle: 0x1.1a62633145c07p-54, low: -0x1.f1976b7ed8fbcp-110
  )

  /// x = n·π/2 + r + rest, n an integer and |r| ≤ π/4 + 2⁻³⁴; n modulo 4 is the quarter.
  ///
  /// x − n·high is exact: where n ≠ 0, |x| > ½, so both terms are multiples of 2⁻⁵³, and their difference is below 1.
  /// n·middle is taken in two exact parts, and so is its difference from the first, for where x lies close to n·π/2
  /// all of r comes from there. What is then lost is below 2⁻⁵² of `rest` and 2⁻¹⁴² of the third part, while no Double
  /// up to 2²⁰ lies within 2⁻⁶¹ of a multiple of π/2.
  ///
  /// - SeeAlso: Cody, Waite 1980, Software Manual for the Elementary Functions, chapter 8.
  private static func reduced(_ x: Double) -> (quarter: UInt64, r: Double, rest: Double) {
    precondition(x.magnitude <= 0x1p20, "an angle beyond 2²⁰")
    // Adding 1.5·2⁵² leaves n in the low bits of the sum.
    let shifted = 0x1.8p52.addingProduct(x, 0x1.45f306dc9c883p-1)
    let n = shifted - 0x1.8p52
    let first = x.addingProduct(-n, halfPi.high)
    let product = n * halfPi.middle
    let productRest = (-product).addingProduct(n, halfPi.middle)
    let r = first - product
    let subtracted = r - first
    let difference = (first - (r - subtracted)) - (product + subtracted)
    let rest = (difference - productRest).addingProduct(-n, halfPi.low)
    return (shifted.bitPattern & 3, r, rest)
  }

  /// sin(r + rest) = r + (r³·S(r²) + rest·cos r), cos r being 1 − ½r² there: S is Taylor's to r¹⁷/17!. What is left
  /// out is below 2⁻⁶² of the result.
  private static func centralSine(_ r: Double, _ rest: Double) -> Double {
    let z = r * r
    var series = (-1.0 / 1_307_674_368_000).addingProduct(1.0 / 355_687_428_096_000, z)
    series = (1.0 / 6_227_020_800).addingProduct(series, z)
    series = (-1.0 / 39_916_800).addingProduct(series, z)
    series = (1.0 / 362_880).addingProduct(series, z)
    series = (-1.0 / 5040).addingProduct(series, z)
    series = (1.0 / 120).addingProduct(series, z)
    series = (-1.0 / 6).addingProduct(series, z)
    return r + rest.addingProduct(-0.5 * z, rest).addingProduct(r * z, series)
  }

  /// cos(r + rest) = 1 − ½r² + (r⁴·C(r²) − r·rest), 1 − ½r² in two parts: C is Taylor's to r¹⁸/18!. What is left out
  /// is below 2⁻⁶⁷.
  private static func centralCosine(_ r: Double, _ rest: Double) -> Double {
    let z = r * r
    var series = (1.0 / 20_922_789_888_000).addingProduct(-1.0 / 6_402_373_705_728_000, z)
    series = (-1.0 / 87_178_291_200).addingProduct(series, z)
    series = (1.0 / 479_001_600).addingProduct(series, z)
    series = (-1.0 / 3_628_800).addingProduct(series, z)
    series = (1.0 / 40320).addingProduct(series, z)
    series = (-1.0 / 720).addingProduct(series, z)
    series = (1.0 / 24).addingProduct(series, z)
    let half = -0.5 * r
    let head = 1.0.addingProduct(half, r)
    // 1 − head is exact: head is between ½ and 1.
    let tail = (1 - head).addingProduct(half, r).addingProduct(-r, rest)
    return head + tail.addingProduct(z * z, series)
  }
}
