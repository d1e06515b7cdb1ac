import Machine

/// The machine's own limits, measured with the same kernels and threads as everything else.
public enum Limits {
  /// Operands that are multiplied, and added up in 32 bits.
  public enum Arithmetic: String, CaseIterable, Sendable {
    /// Multiply-adds of float32.
    case float32
    /// Dot products of two bfloat16.
    case bfloat16
    /// AMX's, of tiles of bfloat16.
    case bfloat16Tiles
    /// Dot products of four int8: measured, and used by no operator yet.
    case int8
  }

  /// Whether the machine has such products; those of bfloat16 are put together from others where none are made for it.
  public static func has(_ arithmetic: Arithmetic, context: ExecutionContext) -> Bool {
    switch arithmetic {
    case .float32, .bfloat16: true
    case .bfloat16Tiles: context.kernels.tileUnit == .amx
    case .int8: context.kernels.hasInt8Products
    }
  }

  /// Runs `iterations` rounds of independent products on every thread, as many at once as the GEMM's tile has.
  ///
  /// - Precondition: int8: the machine has them.
  /// - Returns: the operations done, two for each product.
  public static func multiplyAdd(
    _ arithmetic: Arithmetic = .float32, iterations: Int, context: ExecutionContext
  ) -> Double {
    let done = context.shared(0..<context.threads)
    let kernels = context.kernels
    context.perform(
      Work(count: context.threads) { task, _ in
        let operations =
          switch arithmetic {
          case .float32: kernels.peak(iterations: iterations)
          case .bfloat16: kernels.pairedPeak(.pairs, iterations: iterations)
          case .bfloat16Tiles: kernels.pairedPeak(.tiles, iterations: iterations)
          case .int8: kernels.int8Peak(iterations: iterations)
          }
        done[task] = Float(operations)
      })
    return done.array().reduce(0.0) { $0 + Double($1) }
  }

  /// Reads a tensor once, in one range a thread.
  ///
  /// - Returns: its sum in no useful order: a value that depends on every element, so that nothing is skipped.
  public static func read(_ tensor: Tensor, context: ExecutionContext) -> Double {
    read([tensor], context: context)
  }

  /// Reads several tensors once, as if they were one.
  public static func read(_ tensors: [Tensor], context: ExecutionContext) -> Double {
    let total = tensors.reduce(0) { $0 + $1.count }
    let size = max(1, (total + context.threads - 1) / context.threads)
    // A short tensor has fewer ranges than there are threads.
    let sums = context.shared(0..<(total + size - 1) / size)
    context.perform(
      .blocks(of: size, in: total) { range, _ in
        var (sum, start) = (Float(0), 0)
        for tensor in tensors {
          let part = range.clamped(to: start..<start + tensor.count)
          if !part.isEmpty {
            sum += context.kernels.read(tensor, range: part.lowerBound - start..<part.upperBound - start)
          }
          start += tensor.count
        }
        sums[range.lowerBound / size] = sum
      })
    return sums.array().reduce(0.0) { $0 + Double($1) }
  }
}
