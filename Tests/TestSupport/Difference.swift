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
