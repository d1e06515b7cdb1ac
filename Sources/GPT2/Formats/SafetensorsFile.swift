import JSON
import Machine

/// Named tensors in Hugging Face's safetensors format, memory-mapped.
///
///     uint64: N, the header's length
///     N bytes of JSON: {"name": {"dtype": "F32", "shape": [...], "data_offsets": [begin, end]}, ...}
///     the tensors, at those offsets from the header's end, without gaps and overlaps
///
/// All little-endian, tensors row-major. An entry `__metadata__` holds texts.
///
/// - SeeAlso: github.com/huggingface/safetensors, README.md, "Format".
public struct SafetensorsFile: Sendable {
  public var path: String { file.path }
  public var byteCount: Int { file.byteCount }
  /// In the order of their places.
  public let entries: [TensorEntry]
  let file: MappedFile

  /// Maps the file and checks all of its header against its size.
  ///
  /// - Throws: `FormatError`, naming the tensor and the field that is off.
  public init(path: String) throws(FormatError) {
    file = try mapped(path)
    try FileKind.refuse(file, expected: "a safetensors file", of: FileKind.all(but: .safetensors))
    guard file.byteCount >= 8 else {
      throw .mismatch(
        path: path, field: "the file's size", expected: "at least the 8 bytes of a header's length",
        found: file.byteCount == 0 ? "empty" : "\(file.byteCount) bytes")
    }
    let length = file.read(UInt64.self, at: 0)
    guard length <= file.byteCount - 8 else {
      throw .mismatch(
        path: path, field: "the header's length",
        expected: "at most the \(file.byteCount - 8) bytes that follow it", found: "\(length)")
    }
    let dataStart = 8 + Int(length)
    let header = JSONObject(
      try JSONValue(file, bytes: 8..<dataStart, what: "the header"), path: path, what: "the header")
    var entries: [TensorEntry] = []
    for (name, value) in try header.members() where name != "__metadata__" {
      entries.append(try Self.entry(named: name, value, path: path, dataStart: dataStart))
    }
    entries.sort {
      ($0.bytes.lowerBound, $0.bytes.upperBound, $0.name) < (
        $1.bytes.lowerBound, $1.bytes.upperBound, $1.name
      )
    }
    self.entries = entries
    try checkPlaces(dataStart: dataStart)
  }

  /// The tensors with the file that holds them.
  var tensors: [StoredTensor] { entries.map { StoredTensor(file: file, entry: $0) } }
}

// MARK: - Checks

extension SafetensorsFile {
  /// Bytes of a number.
  private static let widths = [
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4,
    "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
  ]

  private static func entry(
    named name: String, _ value: JSONValue, path: String, dataStart: Int
  ) throws(FormatError) -> TensorEntry {
    let fields = JSONObject(value, path: path, what: "the tensor \(name.shortened)")
    let type = try fields.string("dtype")
    guard let width = widths[type] else {
      throw fields.mismatch(
        "dtype", expected: "one of \(widths.keys.sorted().joined(separator: ", "))",
        found: "'\(type.shortened)'")
    }
    let shape = try fields.integers("shape")
    let places = try fields.integers("data_offsets")
    guard places.count == 2, 0 <= places[0], places[0] <= places[1] else {
      throw fields.mismatch(
        "data_offsets", expected: "a begin and an end no smaller", found: "\(places.prefix(8))")
    }
    let byteCount = places[1] - places[0]
    guard let count = Arena.Entry(name: name, shape: shape).elementCount,
      count.multipliedReportingOverflow(by: width) == (byteCount, false)
    else {
      throw fields.mismatch(
        "data_offsets", expected: "as far apart as \(type) of shape \(shape.prefix(8)) needs",
        found: "\(byteCount) bytes apart")
    }
    guard places[1] <= Int.max - dataStart else {
      throw fields.mismatch("data_offsets", expected: "within the file", found: "\(places)")
    }
    return TensorEntry(
      name: name, type: type, shape: shape, bytes: dataStart + places[0]..<dataStart + places[1])
  }

  /// Tensors follow each other up to the end of the file.
  private func checkPlaces(dataStart: Int) throws(FormatError) {
    var end = dataStart
    for entry in entries {
      guard entry.bytes.lowerBound == end else {
        let difference = (entry.bytes.lowerBound - end).magnitude
        throw .mismatch(
          path: path, field: "the data_offsets of the tensor \(entry.name.shortened)",
          expected: "right behind the tensor before it, from \(end - dataStart) on",
          found: entry.bytes.lowerBound < end
            ? "\(difference) bytes before that, an overlap" : "\(difference) bytes behind that, a gap")
      }
      end = entry.bytes.upperBound
    }
    guard end == file.byteCount else {
      let difference = (end - file.byteCount).magnitude
      throw .mismatch(
        path: path, field: "the file's size", expected: "the \(end) bytes that its header says",
        found: "\(file.byteCount) bytes, \(difference) too \(file.byteCount < end ? "few" : "many")")
    }
  }
}
