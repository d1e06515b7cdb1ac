import Machine

/// Between float32 and the precisions that files and weights may have, on all threads.
///
/// The bits are those of `Precision`, whatever the instruction set: nearest, ties to even, where digits are lost; NaN
/// stays NaN, and what is too large becomes infinite.
///
/// - Complexity: bound by memory: 6 bytes a number between float32 and a half.
public enum Conversion {
  /// y = the numbers in `bytes`, exactly.
  ///
  /// - Parameters:
  ///   - bytes: as many numbers of `precision`, little-endian, at any alignment.
  ///   - y: (count), float32, overwritten; does not overlap `bytes`.
  public static func expand(
    _ bytes: RawSpan, from precision: Precision, y: Tensor, context: ExecutionContext
  ) {
    check(byteCount: bytes.byteCount, precision, y)
    PackedNumbers.reading(bytes, as: precision) { expand($0, y: y, context: context) }
  }

  /// bytes = the numbers of x, rounded to `precision`.
  ///
  /// - Parameters:
  ///   - x: (count), float32.
  ///   - bytes: room for as many of `precision`, overwritten; does not overlap x.
  public static func round(
    _ x: Tensor, to precision: Precision, bytes: inout MutableSpan<UInt8>, context: ExecutionContext
  ) {
    check(byteCount: bytes.count, precision, x)
    PackedNumbers.writing(&bytes, as: precision) { round(x, y: $0, context: context) }
  }

  /// y = x in y's element type.
  ///
  /// - Parameters:
  ///   - x: (count). y: (count), overwritten; does not overlap x.
  /// - Precondition: one of the types is float32, the other float32 or bfloat16.
  public static func forward(_ x: Tensor, y: Tensor, context: ExecutionContext) {
    precondition(x.count == y.count, "\(x.count) elements of \(x.name), \(y.count) of \(y.name)")
    if y.elementType == .float32 {
      expand(PackedNumbers(x), y: y, context: context)
    } else {
      round(x, y: PackedNumbers(y), context: context)
    }
  }

  private static func check(byteCount: Int, _ precision: Precision, _ tensor: Tensor) {
    precondition(
      byteCount == tensor.count * precision.byteCount,
      "\(byteCount) bytes for \(tensor.count) numbers of \(tensor.name)")
  }

  private static func expand(_ x: PackedNumbers, y: Tensor, context: ExecutionContext) {
    context.perform(
      .blocks(of: context.blockSize(y.count, least: 16384, multipleOf: 16), in: y.count) { range, _ in
        context.kernels.expand(x, range: range, y: y)
      })
  }

  private static func round(_ x: Tensor, y: PackedNumbers, context: ExecutionContext) {
    context.perform(
      .blocks(of: context.blockSize(x.count, least: 16384, multipleOf: 16), in: x.count) { range, _ in
        context.kernels.round(x, range: range, y: y)
      })
  }
}
