import RealModule

/// Layer normalisation over the channels of each row.
///
/// - SeeAlso: Ba, Kiros, Hinton 2016, arXiv:1607.06450.
public enum ReferenceLayerNorm {
  /// What the forward pass gives; the backward pass needs `mean` and `rstd`.
  public struct Output<Scalar> {
    /// (R, C).
    public var output: [Scalar]
    /// (R), the mean of each row.
    public var mean: [Scalar]
    /// (R), 1/√(variance + ε) of each row.
    public var rstd: [Scalar]

    @inlinable
    public init(output: [Scalar], mean: [Scalar], rstd: [Scalar]) {
      self.output = output
      self.mean = mean
      self.rstd = rstd
    }
  }

  /// Normalises each row of `input`, then scales and shifts it.
  ///
  ///     μ[r] = Σ_c x[r,c] / C
  ///     ρ[r] = 1 / √(Σ_c (x[r,c] − μ[r])² / C + ε)
  ///     y[r,c] = (x[r,c] − μ[r]) · ρ[r] · weight[c] + bias[c]
  ///
  /// - Parameters:
  ///   - input: (R, C), R = B·T, row-major.
  ///   - weight, bias: (C).
  ///   - epsilon: ε, GPT-2's is 1e-5.
  /// - Precondition: C > 0.
  /// - Complexity: ≈ 8·R·C FLOP.
  @inlinable
  public static func forward<Scalar: Real & BinaryFloatingPoint>(
    _ input: [Scalar], weight: [Scalar], bias: [Scalar], rows: Int, channels: Int, epsilon: Scalar = 1e-5
  ) -> Output<Scalar> {
    precondition(channels > 0 && input.count == rows * channels)
    precondition(weight.count == channels && bias.count == channels)
    var result = Output(
      output: [Scalar](repeating: 0, count: rows * channels),
      mean: [Scalar](repeating: 0, count: rows), rstd: [Scalar](repeating: 0, count: rows))
    for row in 0..<rows {
      var sum: Scalar = 0
      for c in 0..<channels { sum += input[row * channels + c] }
      let mean = sum / Scalar(channels)
      var squares: Scalar = 0
      for c in 0..<channels {
        let shifted = input[row * channels + c] - mean
        squares += shifted * shifted
      }
      let rstd = 1 / (squares / Scalar(channels) + epsilon).squareRoot()
      for c in 0..<channels {
        result.output[row * channels + c] = (input[row * channels + c] - mean) * rstd * weight[c] + bias[c]
      }
      result.mean[row] = mean
      result.rstd[row] = rstd
    }
    return result
  }

  /// The gradient of the input; those of weight and bias are added to what is there.
  ///
  /// With x̂ = (x − μ)·ρ and g = dy · weight, and ⟨·⟩ the mean over the channels of a row,
  ///
  ///     dx[r,c]   = ρ[r] · (g[r,c] − ⟨g⟩[r] − x̂[r,c] · ⟨g·x̂⟩[r])
  ///     dweight[c] += Σ_r dy[r,c] · x̂[r,c]
  ///     dbias[c]   += Σ_r dy[r,c]
  ///
  /// - Parameters:
  ///   - dout, input: (R, C).
  ///   - weight: (C).
  ///   - mean, rstd: (R), from the forward pass.
  ///   - dweight, dbias: (C), accumulated.
  /// - Returns: (R, C).
  @inlinable
  public static func backward<Scalar: Real & BinaryFloatingPoint>(
    _ dout: [Scalar], input: [Scalar], weight: [Scalar], mean: [Scalar], rstd: [Scalar], rows: Int,
    channels: Int, dweight: inout [Scalar], dbias: inout [Scalar]
  ) -> [Scalar] {
    precondition(dout.count == rows * channels && input.count == rows * channels)
    precondition(weight.count == channels && mean.count == rows && rstd.count == rows)
    precondition(dweight.count == channels && dbias.count == channels)
    var dinput = [Scalar](repeating: 0, count: rows * channels)
    for row in 0..<rows {
      var sum: Scalar = 0
      var projection: Scalar = 0
      for c in 0..<channels {
        let index = row * channels + c
        let normalised = (input[index] - mean[row]) * rstd[row]
        sum += dout[index] * weight[c]
        projection += dout[index] * weight[c] * normalised
        dweight[c] += dout[index] * normalised
        dbias[c] += dout[index]
      }
      let count = Scalar(channels)
      for c in 0..<channels {
        let index = row * channels + c
        let normalised = (input[index] - mean[row]) * rstd[row]
        let gradient = dout[index] * weight[c]
        dinput[index] = rstd[row] * (gradient - sum / count - normalised * projection / count)
      }
    }
    return dinput
  }
}
