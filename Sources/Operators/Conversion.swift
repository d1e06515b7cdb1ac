import Machine
import Synchronization

/// Between float32 and the precisions that files and weights may have, on all threads.
///
/// The same bits whatever the instruction set: nearest, ties to even, where digits are lost; a NaN keeps its sign and
/// the upper bits of its fraction and becomes quiet, and what is too large becomes infinite.
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
  /// - Precondition: one of the types is float32, the other float32, bfloat16 or float16.
  public static func forward(_ x: Tensor, y: Tensor, context: ExecutionContext) {
    precondition(x.count == y.count, "\(x.count) elements of \(x.name), \(y.count) of \(y.name)")
    if y.elementType == .float32 {
      expand(PackedNumbers(x), y: y, context: context)
    } else {
      round(x, y: PackedNumbers(y), context: context)
    }
  }

  /// The first of x's finite numbers that is infinite in `precision`, or nil.
  ///
  /// - Complexity: bound by memory: reads x once.
  public static func firstOverflow(
    of x: Tensor, in precision: Precision, context: ExecutionContext
  ) -> Int? {
    // The middle between the largest number and the power of two behind it: nearest even is that power.
    let bound: Float
    switch precision {
    case .float32: return nil
    case .bfloat16: bound = 0x1.FFp127
    case .float16: bound = 0x1.FFEp15
    }
    let first = Atomic<Int>(x.count)
    context.perform(
      .blocks(of: context.blockSize(x.count, least: 16384), in: x.count) { range, _ in
        if let index = x.slice(range).withSpan({ firstFinite($0, from: bound) }) {
          first.min(range.lowerBound + index, ordering: .relaxed)
        }
      })
    let index = first.load(ordering: .relaxed)
    return index < x.count ? index : nil
  }

  /// The first finite number of a magnitude of at least `bound`.
  private static func firstFinite(_ numbers: Span<Float>, from bound: Float) -> Int? {
    // Counting is a loop of vectors, as one that may be left is not.
    var count: UInt32 = 0
    for index in numbers.indices {
      let magnitude = numbers[index].magnitude
      count &+= magnitude >= bound && magnitude < .infinity ? 1 : 0
    }
    if count == 0 { return nil }
    return numbers.indices.first { numbers[$0].magnitude >= bound && numbers[$0].isFinite }
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
