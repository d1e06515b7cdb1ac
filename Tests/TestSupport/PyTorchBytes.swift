/// Files as `torch.save` writes them, made byte by byte: a zip archive, stored, of a pickle and the numbers of storages.
public struct PyTorchBytes {
  /// What goes into a pickle.
  public indirect enum Object {
    case none
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case list([Object])
    case dictionary([(String, Object)])
    /// An OrderedDict with attributes, as a state dictionary is.
    case stateDictionary([(String, Object)])
    case tensor(storage: Int, shape: [Int], strides: [Int]? = nil, offset: Int = 0)
    /// A class of this module and name, called with no arguments.
    case call(String, String)
  }

  public struct Storage {
    public var type: String
    public var count: Int
    public var bytes: [UInt8]

    public init(type: String = "FloatStorage", count: Int, bytes: [UInt8]) {
      self.type = type
      self.count = count
      self.bytes = bytes
    }
  }

  public var root: Object
  public var storages: [Storage]
  /// Compression's number of the entries, 0: stored.
  public var method: UInt16 = 0
  /// Whether sizes are in zip64's fields.
  public var isWide = false
  public var byteOrder = "little"

  public init(_ root: Object, storages: [Storage]) {
    self.root = root
    self.storages = storages
  }

  public var file: [UInt8] {
    var entries: [(String, [UInt8])] = [
      ("archive/data.pkl", pickle), ("archive/byteorder", Array(byteOrder.utf8)),
    ]
    for (key, storage) in storages.enumerated() { entries.append(("archive/data/\(key)", storage.bytes)) }
    return zip(entries + [("archive/version", Array("3\n".utf8))])
  }

  // MARK: - The pickle, protocol 2

  public var pickle: [UInt8] {
    var bytes: [UInt8] = [0x80, 2]
    write(root, to: &bytes)
    return bytes + Array(".".utf8)
  }

  private func write(_ object: Object, to bytes: inout [UInt8]) {
    switch object {
    case .none: bytes += Array("N".utf8)
    case .boolean(let value): bytes.append(value ? 0x88 : 0x89)
    case .integer(let value) where (0..<256).contains(value): bytes += Array("K".utf8) + [UInt8(value)]
    case .integer(let value): bytes += Array("J".utf8) + Self.little(UInt32(bitPattern: Int32(value)))
    case .number(let value): bytes += Array("G".utf8) + Self.little(value.bitPattern).reversed()
    case .text(let text): bytes += Array("X".utf8) + Self.little(UInt32(text.utf8.count)) + Array(text.utf8)
    case .list(let values):
      bytes += Array("](".utf8)
      for value in values { write(value, to: &bytes) }
      bytes += Array("e".utf8)
    case .dictionary(let members):
      bytes += Array("}q\u{1}(".utf8)
      write(members, to: &bytes)
    case .stateDictionary(let members):
      bytes += Array("ccollections\nOrderedDict\n)R(".utf8)
      write(members, to: &bytes)
      bytes += Array("}".utf8)
      write(.text("_metadata"), to: &bytes)
      write(.dictionary([]), to: &bytes)
      bytes += Array("sb".utf8)
    case .call(let module, let name): bytes += Array("c\(module)\n\(name)\n)R".utf8)
    case .tensor(let storage, let shape, let strides, let offset):
      write(storage, shape, strides ?? Self.strides(shape), offset, to: &bytes)
    }
  }

  private func write(_ members: [(String, Object)], to bytes: inout [UInt8]) {
    for (name, value) in members {
      write(.text(name), to: &bytes)
      write(value, to: &bytes)
    }
    bytes += Array("u".utf8)
  }

  private func write(_ place: Int, _ shape: [Int], _ strides: [Int], _ offset: Int, to bytes: inout [UInt8]) {
    let storage = storages[place]
    bytes += Array("ctorch._utils\n_rebuild_tensor_v2\n((".utf8)
    write(.text("storage"), to: &bytes)
    bytes += Array("ctorch\n\(storage.type)\n".utf8)
    for object in [Object.text("\(place)"), .text("cpu"), .integer(storage.count)] {
      write(object, to: &bytes)
    }
    bytes += Array("tQ".utf8)
    write(.integer(offset), to: &bytes)
    for sizes in [shape, strides] {
      bytes += Array("(".utf8)
      for size in sizes { write(.integer(size), to: &bytes) }
      bytes += Array("t".utf8)
    }
    write(.boolean(false), to: &bytes)
    bytes += Array("ccollections\nOrderedDict\n)RtR".utf8)
  }

  public static func strides(_ shape: [Int]) -> [Int] {
    shape.indices.map { shape[($0 + 1)...].reduce(1, *) }
  }

  // MARK: - The zip archive

  private func zip(_ entries: [(name: String, bytes: [UInt8])]) -> [UInt8] {
    var (file, directory): ([UInt8], [UInt8]) = ([], [])
    for (name, content) in entries {
      let (offset, size) = (file.count, UInt64(content.count))
      let sizes = isWide ? [UInt32](repeating: .max, count: 2) : [UInt32(size), UInt32(size)]
      let extra =
        isWide
        ? Self.little(UInt16(1)) + Self.little(UInt16(24)) + Self.little(size) + Self.little(size)
          + Self.little(UInt64(offset)) : []
      let common =
        [20, 0, method, 0, 0].flatMap { Self.little($0 as UInt16) } + Self.little(UInt32(0))
        + sizes.flatMap { Self.little($0) } + Self.little(UInt16(name.utf8.count))
      // As torch.save aligns: the local header's extra field differs from the directory's.
      let padding = [UInt8](repeating: 0, count: 7)
      file +=
        [0x50, 0x4B, 3, 4] + common + Self.little(UInt16(padding.count)) + Array(name.utf8) + padding
        + content
      directory += [0x50, 0x4B, 1, 2] + Self.little(UInt16(20)) + common + Self.little(UInt16(extra.count))
      directory += [UInt8](repeating: 0, count: 10) + Self.little(isWide ? UInt32.max : UInt32(offset))
      directory += Array(name.utf8) + extra
    }
    return file + directory + end(directory: directory.count, at: file.count, entries: entries.count)
  }

  private func end(directory size: Int, at offset: Int, entries: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    if isWide {
      let count = Self.little(UInt64(entries))
      bytes +=
        [0x50, 0x4B, 6, 6] + Self.little(UInt64(44)) + [45, 0, 45, 0] + Self.little(UInt64(0)) + count + count
      bytes += Self.little(UInt64(size)) + Self.little(UInt64(offset))
      bytes +=
        [0x50, 0x4B, 6, 7] + Self.little(UInt32(0)) + Self.little(UInt64(offset + size))
        + Self.little(UInt32(1))
    }
    let count = Self.little(UInt16(entries))
    bytes += [0x50, 0x4B, 5, 6] + Self.little(UInt32(0)) + count + count
    bytes +=
      Self.little(isWide ? UInt32.max : UInt32(size)) + Self.little(isWide ? UInt32.max : UInt32(offset))
    return bytes + Self.little(UInt16(0))
  }

  private static func little<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
    (0..<Integer.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}
