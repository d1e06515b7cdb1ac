import Machine

/// The machine's own limits, measured with the same kernels and threads as everything else.
public enum Limits {
  /// Runs `iterations` rounds of independent multiply-adds on every thread, as many at once as the GEMM's tile has.
  ///
  /// - Returns: the floating-point operations done.
  public static func multiplyAdd(iterations: Int, context: ExecutionContext) -> Double {
    let done = context.shared(0..<context.threads)
    context.perform(
      Work(count: context.threads) { task, _ in
        done[task] = Float(context.kernels.peak(iterations: iterations))
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
