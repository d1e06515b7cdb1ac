import Machine
import Operators

/// Writes tensors' numbers into a file in a precision, rounded on all threads a chunk at a time, so that memory stays
/// bounded; float32 as it lies in memory.
struct NumberWriter {
  /// Numbers of a chunk: enough for hundreds of threads, and 2 MiB as halves.
  static let chunk = 1 << 20

  let precision: Precision
  let context: ExecutionContext
  private var bytes: [UInt8] = []

  init(as precision: Precision, context: ExecutionContext) {
    self.precision = precision
    self.context = context
  }

  mutating func write(_ tensor: Tensor, to file: inout AtomicFile) throws(FileError) {
    if precision == .float32 { return try file.write(tensor) }
    for start in stride(from: 0, to: tensor.count, by: Self.chunk) {
      try file.write(rounded(tensor.slice(start..<min(tensor.count, start + Self.chunk))))
    }
  }

  private mutating func rounded(_ numbers: Tensor) -> [UInt8] {
    let byteCount = numbers.count * precision.byteCount
    if bytes.count != byteCount { bytes = [UInt8](repeating: 0, count: byteCount) }
    let (precision, context) = (precision, context)
    var span = bytes.mutableSpan
    Conversion.round(numbers, to: precision, bytes: &span, context: context)
    return bytes
  }
}
