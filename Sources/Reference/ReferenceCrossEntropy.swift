import RealModule

/// Softmax and cross-entropy over a vocabulary whose rows are padded.
///
/// Sizes: R rows (B·T), Vp columns of which the first V are tokens.
public enum ReferenceCrossEntropy {
  /// What the forward pass gives; the backward pass needs `probabilities`.
  public struct Output<Scalar> {
    /// (R), the loss of each row.
    public var losses: [Scalar]
    /// Their mean.
    public var loss: Scalar
    /// (R, Vp), zero in the padded columns.
    public var probabilities: [Scalar]

    @inlinable
    public init(losses: [Scalar], loss: Scalar, probabilities: [Scalar]) {
      self.losses = losses
      self.loss = loss
      self.probabilities = probabilities
    }
  }

  /// The losses of the targets.
  ///
  ///     p[r,v]  = exp(x[r,v] − max_v) / Σ_{v < V} exp(x[r,v] − max_v)
  ///     loss[r] = −ln p[r, target[r]] = ln Σ_v exp(x[r,v] − max_v) − (x[r,target[r]] − max_v)
  ///     mean    = Σ_r loss[r] / R
  ///
  /// The loss is taken from the second form, which stays finite where p underflows.
  ///
  /// - Parameters:
  ///   - logits: (R, Vp); padded columns are ignored.
  ///   - targets: (R), each in 0..<V.
  /// - Precondition: 0 < V ≤ Vp and R > 0.
  @inlinable
  public static func forward<Scalar: Real & BinaryFloatingPoint>(
    _ logits: [Scalar], targets: [Int32], rows: Int, vocabulary: Int, paddedVocabulary: Int
  ) -> Output<Scalar> {
    precondition(rows > 0 && vocabulary > 0 && vocabulary <= paddedVocabulary)
    precondition(logits.count == rows * paddedVocabulary && targets.count == rows)
    precondition(targets.allSatisfy { $0 >= 0 && Int($0) < vocabulary })
    var losses = [Scalar](repeating: 0, count: rows)
    var probabilities = [Scalar](repeating: 0, count: logits.count)
    for row in 0..<rows {
      let start = row * paddedVocabulary
      var maximum = -Scalar.infinity
      for v in 0..<vocabulary { maximum = max(maximum, logits[start + v]) }
      var sum: Scalar = 0
      for v in 0..<vocabulary {
        probabilities[start + v] = Scalar.exp(logits[start + v] - maximum)
        sum += probabilities[start + v]
      }
      for v in 0..<vocabulary { probabilities[start + v] /= sum }
      losses[row] = Scalar.log(sum) - (logits[start + Int(targets[row])] - maximum)
    }
    let loss = losses.reduce(0, +) / Scalar(rows)
    return Output(losses: losses, loss: loss, probabilities: probabilities)
  }

  /// The gradient of the mean loss with respect to the logits.
  ///
  ///     dx[r,v] = (p[r,v] − [v = target[r]]) · dloss / R     for v < V, else 0
  ///
  /// - Parameters:
  ///   - probabilities: (R, Vp), from the forward pass.
  ///   - targets: (R).
  ///   - dloss: the gradient of the mean, one unless batches are accumulated.
  /// - Returns: (R, Vp).
  @inlinable
  public static func backward<Scalar: Real & BinaryFloatingPoint>(
    _ probabilities: [Scalar], targets: [Int32], rows: Int, vocabulary: Int, paddedVocabulary: Int,
    dloss: Scalar = 1
  ) -> [Scalar] {
    precondition(probabilities.count == rows * paddedVocabulary && targets.count == rows)
    var dlogits = [Scalar](repeating: 0, count: probabilities.count)
    for row in 0..<rows {
      for v in 0..<vocabulary {
        let indicator: Scalar = v == Int(targets[row]) ? 1 : 0
        let index = row * paddedVocabulary + v
        dlogits[index] = (probabilities[index] - indicator) * dloss / Scalar(rows)
      }
    }
    return dlogits
  }
}
