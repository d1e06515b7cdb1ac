import Foundation

/// The tensors of a safetensors file, F32 or F64, all widened to Double (exactly).
public struct Safetensors: Sendable {
  public struct Tensor: Sendable {
    public let shape: [Int]
    public let values: [Double]
  }

  public let tensors: [String: Tensor]

  private struct Entry: Decodable {
    let dtype: String
    let shape: [Int]
    let offsets: [Int]

    enum CodingKeys: String, CodingKey {
      case dtype, shape
      case offsets = "data_offsets"
    }
  }

  /// Reads the whole file: eight bytes of header length, the header as JSON, the data.
  public init(_ url: URL) throws {
    var reader = try ByteReader(url)
    let length = Int(try reader.integer(UInt64.self))
    guard length <= reader.remaining else {
      throw TestFileError("\(reader.name): expected a header of \(length) bytes, found \(reader.remaining)")
    }
    let start = 8 + length
    let header = try JSONDecoder().decode([String: Header].self, from: Data(reader.bytes[8..<start]))
    var tensors: [String: Tensor] = [:]
    for (name, header) in header {
      guard let entry = header.entry else { continue }
      let count = entry.shape.reduce(1, *)
      let width = entry.dtype == "F64" ? 8 : 4
      guard ["F32", "F64"].contains(entry.dtype), entry.offsets.count == 2,
        entry.offsets[1] - entry.offsets[0] == count * width
      else { throw TestFileError("\(reader.name): expected F32 or F64 of \(entry.shape) in \(name)") }
      reader.offset = start + entry.offsets[0]
      let values = width == 8 ? try reader.doubles(count) : try reader.floats(count).map(Double.init)
      tensors[name] = Tensor(shape: entry.shape, values: values)
    }
    self.tensors = tensors
  }

  /// The metadata of the file is an entry of another form, which is passed over.
  private struct Header: Decodable {
    let entry: Entry?
    init(from decoder: any Decoder) throws {
      let isMetadata = decoder.codingPath.last?.stringValue == "__metadata__"
      entry = isMetadata ? nil : try Entry(from: decoder)
    }
  }

  /// The tensor of this name, in row-major order.
  public func values(_ name: String) throws -> [Double] {
    guard let tensor = tensors[name] else {
      throw TestFileError("expected a tensor named \(name), found none")
    }
    return tensor.values
  }

  /// The first element of the tensor of this name.
  public func scalar(_ name: String) throws -> Double {
    guard let value = try values(name).first else { throw TestFileError("\(name): expected a value") }
    return value
  }

  /// How far a float32 engine may be from this tensor, by the project's numerical rule:
  /// 4 × max(`fp32_max_error` of the tensor, 2⁻²⁴ × its largest magnitude).
  public func float32Tolerance(_ name: String) throws -> Double {
    let largest = try values(name).reduce(0) { max($0, abs($1)) }
    return 4 * max(try scalar("fp32_max_error." + name), largest * 0x1p-24)
  }
}
