import Reference
import TestSupport
import Testing

/// The tolerance of a gradient by central differences in Double, for functions and derivatives of magnitude ≈ 1.
///
///     (f(x + h) − f(x − h)) / 2h = f′(x) + h²/6 · f‴(ξ) + δ/h,   |δ| ≲ k·2⁻⁵³·|f|
///
/// With h = 2⁻¹⁷ ≈ 8e-6: truncation h²/6 ≈ 1e-11·|f‴|, and rounding 2⁻⁵³/h ≈ 1.5e-11·k·|f|. The sums of these
/// tests hold some hundreds of terms of magnitude ≈ 1, so k·|f| ≲ 100 (errors of a sum grow like its square root)
/// and third derivatives stay ≲ 100: 2.5e-9 in all, times a margin of 4. A wrong gradient is wrong by ≈ 1e-2.
let differenceTolerance = 1e-8

private let step = 0x1p-17

/// Checks that `gradient` is the gradient of `function` at `point`, element by element.
func expectGradient(
  _ gradient: [Double], of function: ([Double]) -> Double, at point: [Double], _ name: Comment,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  var moved = point
  let numeric = point.indices.map { i in
    moved[i] = point[i] + step
    let above = function(moved)
    moved[i] = point[i] - step
    let below = function(moved)
    moved[i] = point[i]
    return (above - below) / (2 * step)
  }
  let difference = try maximumDifference(gradient, numeric)
  #expect(
    difference.magnitude <= differenceTolerance, "\(name): \(difference)", sourceLocation: sourceLocation)
  #expect(gradient.contains { abs($0) > 1e-3 }, "\(name): a gradient of zeros proves nothing")
}

/// Σ a·b: makes a scalar of an operator's output, with `b` as the gradient that then flows back.
func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
