/// The place where two arrays differ most.
public struct Difference: Sendable, CustomStringConvertible {
  public let magnitude: Double
  public let index: Int
  public let actual, expected: Double

  public var description: String {
    "|\(actual) − \(expected)| = \(magnitude) at \(index)"
  }
}

/// The largest |actual − expected|.
///
/// - Throws: `ComparisonError` where the sizes differ or either value is not finite: no tolerance covers those.
public func maximumDifference<Actual: BinaryFloatingPoint, Expected: BinaryFloatingPoint>(
  _ actual: [Actual], _ expected: [Expected]
) throws -> Difference {
  guard actual.count == expected.count, !expected.isEmpty else {
    throw ComparisonError("expected \(expected.count) values, found \(actual.count)")
  }
  var worst = Difference(magnitude: -1, index: 0, actual: 0, expected: 0)
  for index in actual.indices {
    let (a, e) = (Double(actual[index]), Double(expected[index]))
    guard a.isFinite, e.isFinite else {
      throw ComparisonError("expected the finite value \(e) at \(index), found \(a)")
    }
    if abs(a - e) > worst.magnitude {
      worst = Difference(magnitude: abs(a - e), index: index, actual: a, expected: e)
    }
  }
  return worst
}

/// Two arrays that cannot be compared.
public struct ComparisonError: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// The element that exceeds its own bound by the largest factor, as a sentence; nil when all stay within theirs.
///
/// Values that are not finite exceed every bound, and so does a bound that is not a number.
public func worstExcess(_ actual: [Float], _ expected: [Double], bounds: [Double]) -> String? {
  guard actual.count == expected.count, bounds.count == expected.count else {
    return "expected \(expected.count) values and bounds, found \(actual.count) and \(bounds.count)"
  }
  var worst: (ratio: Double, index: Int)?
  for index in actual.indices {
    let error = abs(Double(actual[index]) - expected[index])
    if error <= bounds[index] { continue }
    let ratio = error / bounds[index]
    if !ratio.isFinite { return sentence(index, ratio) }
    if ratio > worst?.ratio ?? 0 { worst = (ratio, index) }
  }
  func sentence(_ index: Int, _ ratio: Double) -> String {
    "|\(actual[index]) − \(expected[index])| is \(ratio) times its bound \(bounds[index]) at \(index)"
  }
  return worst.map { sentence($0.index, $0.ratio) }
}

/// The first element whose bits differ, as a sentence; nil when there is none.
public func firstDifferentBits(_ actual: [Float], _ expected: [Float]) -> String? {
  guard actual.count == expected.count else {
    return "expected \(expected.count) values, found \(actual.count)"
  }
  guard let index = actual.indices.first(where: { actual[$0].bitPattern != expected[$0].bitPattern }) else {
    return nil
  }
  return "expected the bits of \(expected[index]) at \(index), found those of \(actual[index])"
}
