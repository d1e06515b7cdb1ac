import RealModule

/// The fully connected layer: every row of `input` times the transposed weight, plus a bias.
///
/// Sizes: R rows (B·T), K input channels, N output channels; all arrays row-major.
public enum ReferenceLinear {
  /// Multiplies each row by the weight's transpose and adds the bias.
  ///
  ///     y[r,n] = Σ_k x[r,k] · weight[n,k] + bias[n]
  ///
  /// - Parameters:
  ///   - input: (R, K).
  ///   - weight: (N, K), one row an output channel.
  ///   - bias: (N), or nil for none (the language-model head).
  /// - Returns: (R, N).
  /// - Accuracy: |error| ≤ (K + 1)·ε·Σ_k |x·weight|; k is summed in ascending order.
  /// - Complexity: 2·R·N·K FLOP.
  @inlinable
  public static func forward<Scalar: Real & BinaryFloatingPoint>(
    _ input: [Scalar], weight: [Scalar], bias: [Scalar]?, rows: Int, inputChannels: Int, outputChannels: Int
  ) -> [Scalar] {
    precondition(input.count == rows * inputChannels && weight.count == outputChannels * inputChannels)
    precondition(bias == nil || bias?.count == outputChannels)
    var output = [Scalar](repeating: 0, count: rows * outputChannels)
    for row in 0..<rows {
      for out in 0..<outputChannels {
        var sum: Scalar = 0
        for k in 0..<inputChannels {
          sum += input[row * inputChannels + k] * weight[out * inputChannels + k]
        }
        output[row * outputChannels + out] = sum + (bias?[out] ?? 0)
      }
    }
    return output
  }

  /// All three gradients at once: returns `dinput`, adds to `dweight` and `dbias`.
  ///
  /// - SeeAlso: `backwardInput`, `backwardWeight`, `backwardBias` for shapes and formulas.
  @inlinable
  public static func backward<Scalar: Real & BinaryFloatingPoint>(
    _ dout: [Scalar], input: [Scalar], weight: [Scalar], rows: Int, inputChannels: Int, outputChannels: Int,
    dweight: inout [Scalar], dbias: inout [Scalar]
  ) -> [Scalar] {
    backwardWeight(
      dout, input: input, rows: rows, inputChannels: inputChannels, outputChannels: outputChannels,
      dweight: &dweight)
    backwardBias(dout, rows: rows, outputChannels: outputChannels, dbias: &dbias)
    return backwardInput(
      dout, weight: weight, rows: rows, inputChannels: inputChannels, outputChannels: outputChannels)
  }

  /// The gradient of the input.
  ///
  ///     dx[r,k] = Σ_n dy[r,n] · weight[n,k]
  ///
  /// - Parameters:
  ///   - dout: (R, N).
  ///   - weight: (N, K).
  /// - Returns: (R, K).
  @inlinable
  public static func backwardInput<Scalar: Real & BinaryFloatingPoint>(
    _ dout: [Scalar], weight: [Scalar], rows: Int, inputChannels: Int, outputChannels: Int
  ) -> [Scalar] {
    precondition(dout.count == rows * outputChannels && weight.count == outputChannels * inputChannels)
    var dinput = [Scalar](repeating: 0, count: rows * inputChannels)
    for row in 0..<rows {
      for out in 0..<outputChannels {
        let gradient = dout[row * outputChannels + out]
        for k in 0..<inputChannels {
          dinput[row * inputChannels + k] += gradient * weight[out * inputChannels + k]
        }
      }
    }
    return dinput
  }

  /// The gradient of the weight, added to what is there.
  ///
  ///     dweight[n,k] += Σ_r dy[r,n] · x[r,k]
  ///
  /// - Parameters:
  ///   - dout: (R, N).
  ///   - input: (R, K).
  ///   - dweight: (N, K), accumulated.
  @inlinable
  public static func backwardWeight<Scalar: Real & BinaryFloatingPoint>(
    _ dout: [Scalar], input: [Scalar], rows: Int, inputChannels: Int, outputChannels: Int,
    dweight: inout [Scalar]
  ) {
    precondition(dout.count == rows * outputChannels && input.count == rows * inputChannels)
    precondition(dweight.count == outputChannels * inputChannels)
    for row in 0..<rows {
      for out in 0..<outputChannels {
        let gradient = dout[row * outputChannels + out]
        for k in 0..<inputChannels {
          dweight[out * inputChannels + k] += gradient * input[row * inputChannels + k]
        }
      }
    }
  }

  /// The gradient of the bias, added to what is there.
  ///
  ///     dbias[n] += Σ_r dy[r,n]
  ///
  /// - Parameters:
  ///   - dout: (R, N).
  ///   - dbias: (N), accumulated.
  @inlinable
  public static func backwardBias<Scalar: Real & BinaryFloatingPoint>(
    _ dout: [Scalar], rows: Int, outputChannels: Int, dbias: inout [Scalar]
  ) {
    precondition(dout.count == rows * outputChannels && dbias.count == outputChannels)
    for row in 0..<rows {
      for out in 0..<outputChannels {
        dbias[out] += dout[row * outputChannels + out]
      }
    }
  }
}
