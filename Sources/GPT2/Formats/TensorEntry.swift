import Machine

/// A tensor in a file of named tensors, safetensors or PyTorch's.
public struct TensorEntry: Sendable, Equatable {
  public let name: String
  /// safetensors' name of the numbers' type, such as F32 and BF16.
  public let type: String
  public let shape: [Int]
  /// In the file.
  public let bytes: Range<Int>
}

/// A tensor and the file that holds it.
struct StoredTensor: Sendable {
  let file: MappedFile
  let entry: TensorEntry

  /// Numbers that float32 does not hold are rounded to nearest even.
  private var isFloat64: Bool { entry.type == "F64" }

  /// How the numbers are handed out; nil where they are of no type that a model has.
  var precision: Precision? {
    ["F64": .float32, "F32": .float32, "BF16": .bfloat16, "F16": .float16][entry.type]
  }

  /// The first `count` numbers, little-endian in `precision`.
  func withNumbers(_ count: Int, _ body: (RawSpan) -> Void) {
    let start = entry.bytes.lowerBound
    if isFloat64 { return file.withRoundedDoubles(at: start, count: count, body) }
    let width = precision?.byteCount ?? 0
    file.withBytes(in: start..<start + count * width) { body($0) }
  }

  func hasSameNumbers(as other: StoredTensor) -> Bool {
    entry.type == other.entry.type
      && file.hasSameBytes(in: entry.bytes, as: other.file, in: other.entry.bytes)
  }

  func mismatch(_ field: String, expected: String, found: String) -> FormatError {
    .mismatch(
      path: file.path, field: "the \(field) of the tensor \(entry.name.shortened)", expected: expected,
      found: found)
  }
}
