import CKernels
import Machine

/// Numbers that lie somewhere in a precision that a tensor need not have, as long as whoever made it holds their
/// memory.
@safe struct PackedNumbers {
  let precision: Precision
  let count: Int
  private let address: UnsafeMutableRawPointer

  /// - Precondition: the memory at `address` outlives this, and nobody writes it who may only read.
  @unsafe fileprivate init(_ precision: Precision, count: Int, address: UnsafeMutableRawPointer) {
    self.precision = precision
    self.count = count
    unsafe self.address = unsafe address
  }

  func pointer(_ range: Range<Int>) -> UnsafeMutableRawPointer {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "range \(range) of \(count) numbers")
    return unsafe address + range.lowerBound * precision.byteCount
  }

  /// A span's numbers while `body` runs, which only reads them.
  static func reading(_ bytes: RawSpan, as precision: Precision, _ body: (PackedNumbers) -> Void) {
    unsafe bytes.withUnsafeBytes { buffer in
      guard let first = buffer.baseAddress else { return }
      unsafe body(
        PackedNumbers(
          precision, count: buffer.count / precision.byteCount,
          address: UnsafeMutableRawPointer(mutating: first)))
    }
  }

  /// A span's numbers while `body` runs.
  static func writing(
    _ bytes: inout MutableSpan<UInt8>, as precision: Precision, _ body: (PackedNumbers) -> Void
  ) {
    unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let first = buffer.baseAddress else { return }
      unsafe body(PackedNumbers(precision, count: buffer.count / precision.byteCount, address: first))
    }
  }

  /// A tensor's numbers; the caller keeps the tensor.
  ///
  /// - Precondition: they are no integers.
  init(_ tensor: Tensor) {
    let precision: Precision =
      switch tensor.elementType {
      case .float32: .float32
      case .bfloat16: .bfloat16
      case .float16: .float16
      case .int8: preconditionFailure("tensor \(tensor.name) holds int8")
      }
    unsafe self.init(precision, count: tensor.count, address: tensor.rawPointer)
  }
}

extension Kernels {
  /// y[range] = the numbers of x there, exactly.
  func expand(_ x: PackedNumbers, range: Range<Int>, y: Tensor) {
    unsafe expand(x, range: range, to: y.pointer(range))
  }

  /// The numbers of x in `range`, exactly.
  ///
  /// - Precondition: there is room for them at `destination`.
  @unsafe func expand(_ x: PackedNumbers, range: Range<Int>, to destination: UnsafeMutablePointer<Float>) {
    let source = unsafe x.pointer(range)
    switch x.precision {
    case .float32:
      unsafe UnsafeMutableRawPointer(destination).copyMemory(from: source, byteCount: 4 * range.count)
    case .bfloat16: unsafe table.pointee.bfloat16_to_float(source, range.count, destination)
    case .float16: unsafe table.pointee.float16_to_float(source, range.count, destination)
    }
  }

  /// y[range] = x there, rounded to y's precision.
  func round(_ x: Tensor, range: Range<Int>, y: PackedNumbers) {
    let (source, destination) = unsafe (x.pointer(range), y.pointer(range))
    switch y.precision {
    case .float32: unsafe destination.copyMemory(from: source, byteCount: 4 * range.count)
    case .bfloat16: unsafe table.pointee.float_to_bfloat16(source, range.count, destination)
    case .float16: unsafe table.pointee.float_to_float16(source, range.count, destination)
    }
  }
}
