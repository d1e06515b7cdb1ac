import Foundation

/// A Hugging Face directory for tests to change, read and written by code of the tests' own.
public struct HuggingFaceFiles {
  public struct Tensor {
    public var name: String
    public var type: String
    public var shape: [Int]
    public var bytes: [UInt8]

    public init(name: String, type: String, shape: [Int], bytes: [UInt8]) {
      self.name = name
      self.type = type
      self.shape = shape
      self.bytes = bytes
    }
  }

  /// The text of config.json.
  public var configuration: String
  /// Of model.safetensors, in the order of their names.
  public var tensors: [Tensor]

  public init(_ directory: URL) throws {
    configuration = try String(contentsOf: directory.appending(path: "config.json"), encoding: .utf8)
    let bytes = [UInt8](try Data(contentsOf: directory.appending(path: "model.safetensors")))
    let start = 8 + bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    guard
      let header = try JSONSerialization.jsonObject(with: Data(bytes[8..<start])) as? [String: [String: Any]]
    else { throw TestFileError("\(directory.path): expected a header of objects") }
    tensors = try header.filter { $0.key != "__metadata__" }.map { name, fields in
      guard let type = fields["dtype"] as? String, let shape = fields["shape"] as? [Int],
        let places = fields["data_offsets"] as? [Int]
      else { throw TestFileError("\(directory.path): expected a tensor in \(name)") }
      return Tensor(
        name: name, type: type, shape: shape, bytes: Array(bytes[start + places[0]..<start + places[1]]))
    }
    tensors.sort { $0.name < $1.name }
  }

  /// The place of the tensor of this name.
  public func index(_ name: String) throws -> Int {
    guard let index = tensors.firstIndex(where: { $0.name == name }) else {
      throw TestFileError("expected a tensor \(name), found none")
    }
    return index
  }

  /// Writes config.json and model.safetensors into `directory`, which is made.
  public func write(to directory: URL) throws {
    try Self.write(configuration, to: "config.json", in: directory)
    try Self.write(Self.file(tensors), to: "model.safetensors", in: directory)
  }

  /// Writes config.json, two files of tensors, and their index, into `directory`, which is made.
  public func writeShards(to directory: URL) throws {
    try Self.write(configuration, to: "config.json", in: directory)
    var places: [String: String] = [:]
    for (number, part) in [tensors.prefix(5), tensors.dropFirst(5)].enumerated() {
      let name = "model-\(number + 1).safetensors"
      try Self.write(Self.file(Array(part)), to: name, in: directory)
      for tensor in part { places[tensor.name] = name }
    }
    try Self.write(Self.index(places), to: "model.safetensors.index.json", in: directory)
  }

  public static func index(_ places: [String: String]) throws -> String {
    let json = try JSONSerialization.data(withJSONObject: ["weight_map": places])
    return String(decoding: json, as: UTF8.self)
  }

  public static func write(_ text: String, to name: String, in directory: URL) throws {
    try write(Array(text.utf8), to: name, in: directory)
  }

  public static func write(_ bytes: [UInt8], to name: String, in directory: URL) throws {
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    try Data(bytes).write(to: directory.appending(path: name))
  }

  /// A safetensors file of these.
  public static func file(_ tensors: [Tensor]) -> [UInt8] {
    var offset = 0
    var entries: [String] = []
    for tensor in tensors {
      let end = offset + tensor.bytes.count
      entries.append(
        "\"\(tensor.name)\": {\"dtype\": \"\(tensor.type)\", \"shape\": \(tensor.shape), "
          + "\"data_offsets\": [\(offset), \(end)]}")
      offset = end
    }
    return file(header: "{\(entries.joined(separator: ", "))}", data: tensors.flatMap(\.bytes))
  }

  public static func file(header: String, data: [UInt8]) -> [UInt8] {
    let length = UInt64(header.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8) + data
  }
}
