import Machine
import Operators

/// `optimizer.safetensors` of a kept step: what the optimizer keeps for each parameter, float32, a tensor a part, named
/// by slot, layer and parameter, such as `first_moment.h.0.qkvw` and `second_moment.wte`. Shapes are llm.c's.
enum OptimizerFile {
  static let fileName = "optimizer.safetensors"

  private static func name(_ slot: String, _ part: ParameterPart) -> String {
    "\(slot)." + (part.layer.map { "h.\($0)." } ?? "") + part.parameter.name
  }

  static func write(
    _ slots: [String: ParameterTensors], of configuration: Configuration, to path: String
  ) throws(FormatError) {
    let names = slots.keys.sorted()
    let tensors = names.flatMap { slot in
      configuration.parameterParts.map { (name(slot, $0), $0.shape(configuration)) }
    }
    try writing { () throws(FileError) in
      var file = try AtomicFile(path: path)
      try file.write(SafetensorsWriter.header(tensors, precision: .float32))
      for slot in names {
        guard let slot = slots[slot] else { continue }
        for part in configuration.parameterParts { try file.write(slot[part]) }
      }
      try file.commit()
    }
  }

  /// Fills the slots, which exist.
  ///
  /// - Throws: `FormatError` unless the file has exactly their tensors; nothing has changed then.
  static func read(
    path: String, into slots: [String: ParameterTensors], of configuration: Configuration,
    context: ExecutionContext
  ) throws(FormatError) {
    let file = try SafetensorsFile(path: path)
    var entries: [String: TensorEntry] = [:]
    for entry in file.entries { entries[entry.name] = entry }
    var places: [(TensorEntry, Tensor)] = []
    for (slot, tensors) in slots {
      for part in configuration.parameterParts {
        let name = name(slot, part)
        guard let entry = entries.removeValue(forKey: name) else {
          throw .mismatch(path: path, field: "the tensor \(name)", expected: "there", found: "missing")
        }
        guard entry.type == "F32", entry.shape == part.shape(configuration) else {
          throw .mismatch(
            path: path, field: "the tensor \(name)", expected: "F32 of shape \(part.shape(configuration))",
            found: "\(entry.type) of shape \(entry.shape.prefix(8))")
        }
        places.append((entry, tensors[part]))
      }
    }
    if let other = entries.keys.min() {
      throw .mismatch(
        path: path, field: "the tensor \(other.shortened)", expected: "one that the optimizer keeps",
        found: "unknown")
    }
    for (entry, tensor) in places {
      file.file.withBytes(in: entry.bytes) { bytes in
        Conversion.expand(bytes, from: .float32, y: tensor, context: context)
      }
    }
  }
}
