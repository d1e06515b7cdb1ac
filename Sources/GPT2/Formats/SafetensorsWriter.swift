import JSON
import Machine

/// What a file of named tensors begins with (`SafetensorsFile` has the format); their numbers follow, one tensor behind
/// the other.
enum SafetensorsWriter {
  /// - Parameter tensors: in the order in which their numbers follow.
  static func header(_ tensors: [(name: String, shape: [Int])], precision: Precision) -> [UInt8] {
    let type = [Precision.float32: "F32", .bfloat16: "BF16"][precision] ?? "F16"
    // `transformers` asks for the format, by which it means a framework.
    var entries: [(String, JSONText)] = [("__metadata__", .object([("format", .text("pt"))]))]
    var offset = 0
    for (name, shape) in tensors {
      let end = offset + shape.reduce(1, *) * precision.byteCount
      let fields: [(String, JSONText)] = [
        ("dtype", .text(type)), ("shape", .array(shape.map { .integer($0) })),
        ("data_offsets", .array([.integer(offset), .integer(end)])),
      ]
      entries.append((name, .object(fields)))
      offset = end
    }
    var json = Array(JSONText.object(entries).encoded.utf8)
    // Spaces up to a multiple of eight, so that the tensors are aligned.
    json += [UInt8](repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8)
    return littleEndianBytes([UInt64(json.count)]) + json
  }
}
