import Machine

/// What `torch.save` wrote: a zip archive, stored, of a pickle and the numbers of each storage.
///
///     NAME/data.pkl    the object, its tensors as places in storages
///     NAME/data/KEY    a storage's numbers
///     NAME/byteorder   "little", where it is there
///
/// - SeeAlso: github.com/pytorch/pytorch, torch/serialization.py.
struct PyTorchFile {
  let path: String
  let pickle: Pickle
  private let archive: ZipArchive
  /// What the names of its entries begin with.
  private let prefix: String

  /// - Throws: `FormatError`, naming the entry and the byte that is off.
  init(path: String) throws(FormatError) {
    self.path = path
    let file = try mapped(path)
    guard FileKind.detect(file) == .zip else {
      try FileKind.refuse(file, expected: "what torch.save writes")
      throw .mismatch(
        path: path, field: "the file", expected: "what torch.save writes, a zip archive",
        found: "something else")
    }
    archive = try ZipArchive(file)
    let pickles = archive.entries.keys.filter { $0.hasSuffix("/data.pkl") }
    guard pickles.count == 1, let name = pickles.first else {
      throw .mismatch(
        path: path, field: "the zip archive", expected: "one of torch.save, with one data.pkl",
        found: "one with \(pickles.count)")
    }
    prefix = String(name.dropLast("data.pkl".count))
    pickle = try Self.pickle(archive, name)
    if archive.entries[prefix + "byteorder"] != nil {
      let order = try Self.contents(archive, prefix + "byteorder", atMost: 16)
      guard order == Array("little".utf8) else {
        throw .mismatch(
          path: path, field: "the byteorder", expected: "little",
          found: "'\(String(decoding: order, as: UTF8.self))'")
      }
    }
  }

  private static func pickle(_ archive: ZipArchive, _ name: String) throws(FormatError) -> Pickle {
    let bytes = try contents(archive, name, atMost: PickleReader.largestByteCount)
    do { return try PickleReader.read(bytes) } catch {
      throw .mismatch(
        path: archive.file.path, field: "the pickle \(name.shortened) at byte \(error.offset)",
        expected: error.expected, found: error.found)
    }
  }

  private static func contents(
    _ archive: ZipArchive, _ name: String, atMost limit: Int
  ) throws(FormatError) -> [UInt8] {
    let range = try archive.bytes(of: name)
    guard range.count <= limit else {
      throw .mismatch(
        path: archive.file.path, field: "the entry \(name.shortened)", expected: "at most \(limit) bytes",
        found: "\(range.count)")
    }
    return archive.file.withIntegers(UInt8.self, at: range.lowerBound, count: range.count) { bytes in
      bytes.indices.map { bytes[$0] }
    }
  }
}

// MARK: - Tensors

extension PyTorchFile {
  /// The tensors of a file that is a dictionary of them, as `model.state_dict()`.
  func stateDictionary() throws(FormatError) -> [StoredTensor] {
    try tensors(of: pickle.root, what: "the file")
  }

  /// The tensors of a dictionary.
  ///
  /// - Parameter what: names it in an error.
  func tensors(of value: Pickle.Value, what: String) throws(FormatError) -> [StoredTensor] {
    guard let members = pickle.members(value) else {
      throw .mismatch(path: path, field: what, expected: "a dictionary of tensors", found: value.kind)
    }
    var tensors: [StoredTensor] = []
    for (name, value) in members {
      guard case .tensor(let place) = value else {
        throw .mismatch(
          path: path, field: "\(name.shortened) of \(what)", expected: "a tensor", found: value.kind)
      }
      tensors.append(try tensor(pickle.tensors[place], named: name))
    }
    return tensors
  }

  private func tensor(_ tensor: Pickle.Tensor, named name: String) throws(FormatError) -> StoredTensor {
    func mismatch(_ field: String, _ expected: String, _ found: String) -> FormatError {
      .mismatch(
        path: path, field: "the \(field) of the tensor \(name.shortened)", expected: expected, found: found)
    }
    let storage = pickle.storages[tensor.storage]
    guard let count = Arena.Entry(name: name, shape: tensor.shape).elementCount,
      tensor.offset >= 0, tensor.offset <= storage.count, count <= storage.count - tensor.offset
    else {
      throw mismatch(
        "shape", "within its storage of \(storage.count) numbers",
        "\(tensor.shape.prefix(8)) from number \(tensor.offset) on")
    }
    guard tensor.isContiguous else {
      throw mismatch(
        "strides", "those of rows one behind the other: save the tensor's contiguous()",
        "\(tensor.strides.prefix(8)) of shape \(tensor.shape.prefix(8))")
    }
    let place = try archive.bytes(of: prefix + "data/" + storage.key)
    let width = storage.type.byteCount
    guard storage.count.multipliedReportingOverflow(by: width) == (place.count, false) else {
      throw mismatch(
        "storage", "\(storage.count) numbers of \(width) bytes", "an entry of \(place.count) bytes")
    }
    let start = place.lowerBound + tensor.offset * width
    return StoredTensor(
      file: archive.file,
      entry: TensorEntry(
        name: name, type: storage.type.rawValue, shape: tensor.shape, bytes: start..<start + count * width))
  }
}

extension Pickle.Tensor {
  /// Whether its numbers lie in the order of its indices, without gaps.
  fileprivate var isContiguous: Bool {
    guard strides.count == shape.count else { return false }
    var expected = 1
    for (size, stride) in zip(shape, strides).reversed() where size != 1 {
      guard stride == expected else { return false }
      expected *= size
    }
    return true
  }
}
