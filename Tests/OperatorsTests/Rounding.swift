import Foundation

// How the bounds of these tests are derived.
//
// Every operation rounds once: fl(x) = x·(1 + δ), |δ| ≤ ε/(1 + ε) with ε = 2⁻²⁴ (Higham 2002, "Accuracy and Stability
// of Numerical Algorithms", theorem 2.3). Then both 1 + δ and 1/(1 + δ) lie within a factor 1 + ε of one, and a
// product or quotient of n such factors is off by at most (1 + ε)ⁿ − 1. A sum of products whose every term passes at
// most n roundings is off by ((1 + ε)ⁿ − 1)·Σ|terms|. This holds while nothing underflows; where something may, a
// bound adds its absolute error.

/// ε: the largest relative error of one rounding to float32.
let epsilon = 0x1p-24

/// (1 + ε)ⁿ − 1: the largest relative error of what is rounded n times.
func rounded(_ times: Int) -> Double { expm1(Double(times) * log1p(epsilon)) }

/// Roundings of a term of a GEMM's sum over `depth` products: a chain of up to 384 multiply-adds, each block's sum
/// added to those before it, and one more for the bias or for what is accumulated to.
func productRoundings(_ depth: Int) -> Int { min(depth, 384) + (depth + 383) / 384 }

/// Roundings of a term of a sum in sixteen lanes: one for each addition or multiply-add in its lane, four in the tree.
func laneRoundings(_ count: Int) -> Int { (count + 15) / 16 + 4 }

/// Roundings of a term of a sum over rows: up to 128 in its block, then one for each block.
func columnRoundings(_ rows: Int) -> Int { min(rows, 128) + (rows + 127) / 128 }

/// Ulp that the kernels' exp may be off by where the result is normal, and where it is denormal: measured over every
/// float, enforced by `ExponentialTests`.
let exponentialUlp = (normal: 0.94, denormal: 0.85)

/// As a relative error: an ulp is at most 2ε of the value.
let exponentialError = exponentialUlp.normal * 2 * epsilon

/// The same of the power of two that attention uses; its results below 2^−126.5 become 0.
let powerUlp = 0.8
let powerError = powerUlp * 2 * epsilon
let powerUnderflow = 0x1p-126

/// Queries and keys of a block of attention: CK_ATTENTION_BLOCK.
let attentionBlock = 128

/// Where a result underflows it is off by at most this, twice the smallest float: once for each factor of 2ⁿ.
let underflow = 0x1p-148

func doubles(_ values: [Float]) -> [Double] { values.map(Double.init) }
func magnitudes(_ values: [Float]) -> [Double] { values.map { Double(abs($0)) } }
