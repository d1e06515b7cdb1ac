import JSON

/// The training steps of a run in at most `most` buckets of equally many, so that a page of a million steps stays small
/// and shows every spike: each bucket has the mean, the least and the largest of every number.
struct ReportCurve {
  /// About as many as a wide page has pixels.
  static let most = 1000

  /// Of one number over all buckets; NaN where a bucket has none.
  private struct Numbers {
    var means: [Double] = []
    var least: [Double] = []
    var largest: [Double] = []

    mutating func add(_ values: some Sequence<Double>) {
      var (sum, count, low, high) = (0.0, 0.0, Double.nan, Double.nan)
      for value in values {
        (sum, count) = (sum + value, count + 1)
        // Of a NaN and a number these give the number.
        (low, high) = (Double.minimum(low, value), Double.maximum(high, value))
      }
      means.append(sum / count)
      least.append(low)
      largest.append(high)
    }

    /// - Parameter thinned: whether buckets are of more than one step; else least and largest are the mean.
    func json(thinned: Bool) -> JSONText {
      func array(_ values: [Double]) -> JSONText { .array(values.map { .float(Float($0)) }) }
      let mean = ("mean", array(means))
      return .object(thinned ? [mean, ("low", array(least)), ("high", array(largest))] : [mean])
    }
  }

  private static let numbers: [(name: String, of: @Sendable (ReportRun.Step) -> Double?)] = [
    ("loss", { $0.loss }), ("gradient_norm", { $0.gradientNorm }), ("learning_rate", { $0.learningRate }),
    ("tokens_per_second", { $0.tokensPerSecond }),
  ]

  /// `{"first": [step…], "last": [step…], "seconds": […], "loss": {"mean": […], "low": […], "high": […]}, …}`; `last`
  /// is left out where no bucket has more than one step, a number where no step has it.
  static func json(_ steps: [ReportRun.Step]) -> JSONText {
    let count = min(most, steps.count)
    let buckets = (0..<count).map { steps[$0 * steps.count / count..<($0 + 1) * steps.count / count] }
    let isThinned = steps.count > count
    func integers(_ of: (ArraySlice<ReportRun.Step>) -> Int?) -> JSONText {
      .array(buckets.map { of($0).map { .integer($0) } ?? .null })
    }
    var members = [("first", integers { $0.first?.number })]
    if isThinned { members.append(("last", integers { $0.last?.number })) }
    if steps.contains(where: { $0.seconds != nil }) {
      members.append(("seconds", .array(buckets.map { .seconds($0.last?.seconds) })))
    }
    for (name, value) in numbers where steps.contains(where: { value($0) != nil }) {
      var numbers = Numbers()
      for bucket in buckets { numbers.add(bucket.lazy.compactMap(value)) }
      members.append((name, numbers.json(thinned: isThinned)))
    }
    return .object(members)
  }
}

extension JSONText {
  /// To the millisecond.
  static func seconds(_ seconds: Double?) -> JSONText {
    seconds.map { .double(($0 * 1000).rounded() / 1000) } ?? .null
  }
}
