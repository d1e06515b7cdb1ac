/// Formats that files have which are none of those that a reader expects: the one table of their signatures, by which
/// every reader's error names what is there and what to do instead.
package enum FileKind: CaseIterable, Sendable {
  // First, as its length may look like a signature.
  case safetensors
  case gitLFSPointer, trainingLog, webPage
  case zip, pickle, hdf5, gguf, numpy
  case gzip, zstandard, xz, bzip2
  case utf8Mark, utf16
  // Last, as more than one kind opens with a brace.
  case json

  package static func all(but kind: FileKind) -> Set<FileKind> { Set(allCases).subtracting([kind]) }

  /// Those that no text begins like.
  package static let unlikeText: Set<FileKind> = [
    .safetensors, .gitLFSPointer, .zip, .pickle, .hdf5, .gguf, .numpy, .gzip, .zstandard, .xz, .utf16,
  ]
  /// Those that token ids without a header hardly begin like: their signatures are four bytes and more.
  package static let unlikeNumbers: Set<FileKind> = [
    .safetensors, .gitLFSPointer, .trainingLog, .webPage, .zip, .hdf5, .gguf, .zstandard, .xz,
  ]

  /// The kind that a file's beginning tells; nil where it is none of these.
  package static func detect(_ file: MappedFile) -> FileKind? {
    let count = min(64, file.byteCount)
    let start = file.withIntegers(UInt8.self, at: 0, count: count) { bytes in bytes.indices.map { bytes[$0] }
    }
    return allCases.first { $0.matches(start) }
  }

  /// The kind of the file at `path`; nil also where it cannot be read.
  package static func detect(path: String) -> FileKind? { (try? MappedFile(path: path)).flatMap(detect) }

  /// Refuses a file of a kind that is not `expected`.
  ///
  /// - Parameter kinds: those that are refused; of the others the reader itself has a say.
  /// - Throws: `FormatError.mismatch`.
  package static func refuse(
    _ file: MappedFile, expected: String, of kinds: Set<FileKind> = Set(FileKind.allCases)
  ) throws(FormatError) {
    guard let kind = detect(file), kinds.contains(kind) else { return }
    throw .mismatch(path: file.path, field: "the file", expected: expected, found: kind.description)
  }

  private func matches(_ start: [UInt8]) -> Bool {
    switch self {
    case .webPage:
      let text = start.drop { $0 <= 0x20 }.prefix(14).map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
      return text.starts(with: "<!doctype html".utf8) || text.starts(with: "<html".utf8)
    // From protocol 2 on.
    case .pickle: return start.count > 2 && start[0] == 0x80 && (2...5).contains(start[1])
    // A brace behind the header's length, whose upper bytes are 0, and text after that.
    case .safetensors:
      return start.count >= 10 && start[5..<8].allSatisfy { $0 == 0 } && start[8] == UInt8(ascii: "{")
        && start[9..<min(12, start.count)].allSatisfy { (0x09..<0x7F).contains($0) }
    case .json: return start.first { ![0x09, 0x0A, 0x0D, 0x20].contains($0) } == UInt8(ascii: "{")
    default: return signatures.contains { start.starts(with: $0) }
    }
  }

  /// What files of the kind begin with.
  private var signatures: [[UInt8]] {
    switch self {
    case .gitLFSPointer: [Array("version https://git-lfs.github.com/spec".utf8)]
    case .trainingLog: [Array("{\"event\":".utf8)]
    case .zip: [[0x50, 0x4B, 3, 4], [0x50, 0x4B, 5, 6]]
    case .hdf5: [[0x89, 0x48, 0x44, 0x46]]
    case .gguf: [Array("GGUF".utf8)]
    case .numpy: [[0x93] + Array("NUMPY".utf8)]
    case .gzip: [[0x1F, 0x8B]]
    case .zstandard: [[0x28, 0xB5, 0x2F, 0xFD]]
    case .xz: [[0xFD] + Array("7zXZ".utf8)]
    case .bzip2: [Array("BZh".utf8)]
    case .utf8Mark: [[0xEF, 0xBB, 0xBF]]
    case .utf16: [[0xFF, 0xFE], [0xFE, 0xFF]]
    case .webPage, .pickle, .safetensors, .json: []
    }
  }

  /// What the file is, with its article.
  package var name: String {
    switch self {
    case .gitLFSPointer: "a git-lfs pointer"
    case .trainingLog: "the log of a training run"
    case .webPage: "a web page"
    case .zip: "a zip archive"
    case .pickle: "a Python pickle"
    case .hdf5: "an HDF5 file"
    case .gguf: "a GGUF file"
    case .numpy: "a NumPy array"
    case .gzip: "gzip's compressed data"
    case .zstandard: "Zstandard's compressed data"
    case .xz: "xz's compressed data"
    case .bzip2: "bzip2's compressed data"
    case .utf8Mark: "text that begins with a byte order mark"
    case .utf16: "UTF-16 text"
    case .safetensors: "a safetensors file"
    case .json: "a JSON object"
    }
  }

  /// What to do instead.
  package var advice: String {
    switch self {
    case .gitLFSPointer: "'git lfs pull' in its directory gets the file that it stands for"
    case .trainingLog: "the model is in the directory that --save named"
    case .webPage: "the download got a page about the file and not the file"
    case .zip:
      "of those that torch.save writes, nanoGPT's ckpt.pt and the directory of a pytorch_model.bin are read"
    case .pickle: "torch.load and torch.save of PyTorch 1.6 or later make a file of it that is read"
    case .hdf5, .gguf: "the model is read from its Hugging Face directory"
    case .numpy: "numpy.load and tofile make a file of its numbers alone"
    case .gzip: "gunzip makes the file of it"
    case .zstandard: "unzstd makes the file of it"
    case .xz: "unxz makes the file of it"
    case .bzip2: "bunzip2 makes the file of it"
    case .utf8Mark: "it is to be saved as UTF-8 without a mark"
    case .utf16: "it is to be saved as UTF-8"
    case .safetensors: "its directory is to be given, with config.json in it"
    case .json: "of a model's config.json, its directory is to be given"
    }
  }
}

extension FileKind: CustomStringConvertible {
  /// "a git-lfs pointer: 'git lfs pull' in its directory gets the file that it stands for"
  package var description: String { "\(name): \(advice)" }
}
