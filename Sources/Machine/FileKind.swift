/// Formats that files have which are none of those that a reader expects: the one table of their signatures, by which
/// every reader's error names what is there and what to do instead.
package enum FileKind: Hashable, Sendable {
  case llm(FileMagic)
  case safetensors
  case gitLFSPointer, trainingLog, webPage, merges
  case numpyArchive, zip, oldPyTorch, pickle, hdf5, onnx, gguf, numpy
  case parquet, arrow, feather, pdf, tar
  case gzip, zstandard, xz, bzip2
  case utf8Mark, utf16
  case json, text

  /// All, in the order in which they are looked for: safetensors first, as its length may look like a signature; behind
  /// others what they are kinds of.
  package static let allCases: [FileKind] =
    [.safetensors] + FileMagic.allCases.map(FileKind.llm) + [
      .gitLFSPointer, .trainingLog, .webPage, .merges, .numpyArchive, .zip, .oldPyTorch, .pickle, .hdf5,
      .onnx, .gguf, .numpy, .parquet, .arrow, .feather, .pdf, .tar, .gzip, .zstandard, .xz, .bzip2, .utf8Mark,
      .utf16, .json, .text,
    ]

  package static func all(but kinds: FileKind...) -> Set<FileKind> { Set(allCases).subtracting(kinds) }

  /// Those that no text begins like.
  package static let unlikeText = all(but: .trainingLog, .webPage, .merges, .utf8Mark, .json, .text)
  /// Those that token ids without a header hardly begin like: their signatures are four bytes and more, or no ids.
  package static let unlikeNumbers = all(but: .pickle, .numpy, .utf8Mark, .json, .text)

  /// The kind that a file's beginning tells; nil where it is none of these.
  package static func detect(_ file: MappedFile) -> FileKind? {
    let start = beginning(of: file)
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

  /// Whether the file begins as text does: UTF-8 without control characters. Token ids of 16 bits seldom are so.
  package static func isText(_ file: MappedFile) -> Bool { isText(beginning(of: file)) }

  private static let beginningSize = 4096

  private static func beginning(of file: MappedFile) -> [UInt8] {
    file.withIntegers(UInt8.self, at: 0, count: min(beginningSize, file.byteCount)) { bytes in
      bytes.indices.map { bytes[$0] }
    }
  }

  private static func isText(_ start: [UInt8]) -> Bool {
    // The last character may be cut.
    !start.isEmpty && start.allSatisfy { $0 >= 0x09 }
      && UTF8Scalars.invalidBytes(in: start.span).first.map { $0 + 4 > beginningSize } ?? true
  }
}

// MARK: - Signatures

extension FileKind {
  private func matches(_ start: [UInt8]) -> Bool {
    switch self {
    case .text: return Self.isText(start)
    case .json:
      return start.prefix(64).first { ![0x09, 0x0A, 0x0D, 0x20].contains($0) } == UInt8(ascii: "{")
    case .webPage:
      let text = start.drop { $0 <= 0x20 }.prefix(14).map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
      return text.starts(with: "<!doctype html".utf8) || text.starts(with: "<html".utf8)
    // From protocol 2 on.
    case .pickle: return start.count > 2 && start[0] == 0x80 && (2...5).contains(start[1])
    // A brace behind the header's length, whose upper bytes are 0, and text after that.
    case .safetensors:
      return start.count >= 10 && start[5..<8].allSatisfy { $0 == 0 } && start[8] == UInt8(ascii: "{")
        && start[9..<min(12, start.count)].allSatisfy { (0x09..<0x7F).contains($0) }
    // The name of the first entry tells.
    case .numpyArchive:
      guard FileKind.zip.matches(start), start.count > 30 else { return false }
      return start[30...].prefix(Int(start[26]) | Int(start[27]) << 8).suffix(4) == Array(".npy".utf8)[...]
    case .tar: return start.count > 262 && start[257..<262] == Array("ustar".utf8)[...]
    case .oldPyTorch where FileKind.tar.matches(start): return start.starts(with: "sys_info".utf8)
    // A stream: the length of its first message, and where that begins.
    case .arrow where start.starts(with: [0xFF, 0xFF, 0xFF, 0xFF]):
      return start.count >= 12 && start[4].isMultiple(of: 8) && start[6...7].allSatisfy { $0 == 0 }
        && start[8..<12] == [0x10, 0, 0, 0]
    // Its version, and who made it, a text.
    case .onnx:
      guard start.count > 4, start[0] == 8, (1...15).contains(start[1]), start[2] == 0x12 else {
        return false
      }
      let producer = start[4...].prefix(Int(start[3]))
      return (1..<64).contains(Int(start[3])) && producer.allSatisfy { (0x20..<0x7F).contains($0) }
    default: return signatures.contains { start.starts(with: $0) }
    }
  }

  /// What files of the kind begin with.
  private var signatures: [[UInt8]] {
    switch self {
    case .llm(let magic): [littleEndianBytes([magic.rawValue])]
    case .gitLFSPointer: [Array("version https://git-lfs.github.com/spec".utf8)]
    case .trainingLog: [Array("{\"event\":".utf8)]
    case .merges: [Array("#version:".utf8)]
    case .zip: [[0x50, 0x4B, 3, 4], [0x50, 0x4B, 5, 6]]
    // The pickle of a number that no other file begins with.
    case .oldPyTorch: [[0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]]
    case .hdf5: [[0x89, 0x48, 0x44, 0x46]]
    case .gguf: [Array("GGUF".utf8)]
    case .numpy: [[0x93] + Array("NUMPY".utf8)]
    // Letters, and the field that comes first.
    case .parquet: [Array("PAR1\u{15}".utf8)]
    case .arrow: [Array("ARROW1\0\0".utf8)]
    case .feather: [Array("FEA1\0".utf8)]
    case .pdf: [Array("%PDF-".utf8)]
    // The one method that there is.
    case .gzip: [[0x1F, 0x8B, 8]]
    case .zstandard: [[0x28, 0xB5, 0x2F, 0xFD]]
    case .xz: [[0xFD] + Array("7zXZ".utf8)]
    // Nine sizes of blocks, before π, or √π where there is no block.
    case .bzip2:
      (UInt8(ascii: "1")...UInt8(ascii: "9")).flatMap { size in
        [[0x31, 0x41, 0x59, 0x26, 0x53, 0x59], [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]].map {
          Array("BZh".utf8) + [size] + $0
        }
      }
    case .utf8Mark: [[0xEF, 0xBB, 0xBF]]
    case .utf16: [[0xFF, 0xFE], [0xFE, 0xFF]]
    case .webPage, .pickle, .safetensors, .json, .text, .numpyArchive, .tar, .onnx: []
    }
  }
}

// MARK: - Words

extension FileKind: CustomStringConvertible {
  /// "a git-lfs pointer: 'git lfs pull' in its directory gets the file that it stands for"
  package var description: String { "\(name): \(advice)" }

  /// What the file is, with its article.
  package var name: String {
    switch self {
    case .llm(let magic): magic.kind
    case .gitLFSPointer: "a git-lfs pointer"
    case .trainingLog: "the log of a training run"
    case .webPage: "a web page"
    case .merges: "the merges of a vocabulary"
    case .numpyArchive: "a NumPy .npz archive"
    case .zip: "a zip archive"
    case .oldPyTorch: "what PyTorch before 1.6 saved"
    case .pickle: "a Python pickle"
    case .hdf5: "an HDF5 file"
    case .onnx: "an ONNX model"
    case .gguf: "a GGUF file"
    case .numpy: "a NumPy array"
    case .parquet: "a Parquet table"
    case .arrow: "an Arrow table"
    case .feather: "a Feather table"
    case .pdf: "a PDF document"
    case .tar: "a tar archive"
    case .gzip: "gzip's compressed data"
    case .zstandard: "Zstandard's compressed data"
    case .xz: "xz's compressed data"
    case .bzip2: "bzip2's compressed data"
    case .utf8Mark: "text that begins with a byte order mark"
    case .utf16: "UTF-16 text"
    case .safetensors: "a safetensors file"
    case .json: "a JSON object"
    case .text: "text"
    }
  }

  /// What to do instead.
  package var advice: String {
    switch self {
    case .llm(let magic): magic.advice
    case .gitLFSPointer: "'git lfs pull' in its directory gets the file that it stands for"
    case .trainingLog: "the model is in the directory that --save named"
    case .webPage: "the download got a page about the file and not the file"
    case .merges: "vocab.json, which belongs beside it, is to be given"
    case .numpyArchive: "numpy.save makes a .npy, which is read, of one of its arrays"
    case .zip:
      "of those that torch.save writes, nanoGPT's ckpt.pt and the directory of a pytorch_model.bin are read"
    case .oldPyTorch: "torch.save(torch.load(FILE), NEW) of PyTorch 1.6 or later makes one that is read"
    case .pickle: "torch.load and torch.save of PyTorch 1.6 or later make a file of it that is read"
    case .hdf5, .gguf, .onnx: "the model is read from its Hugging Face directory"
    case .numpy: "numpy.load and tofile make a file of its numbers alone"
    case .parquet:
      "pandas.read_parquet(FILE).to_json(NEW, orient='records', lines=True) makes JSON lines of it, which are read"
    case .arrow: "datasets.Dataset.from_file(FILE).to_json(NEW) makes JSON lines of it, which are read"
    case .feather:
      "pandas.read_feather(FILE).to_json(NEW, orient='records', lines=True) makes JSON lines of it, which are read"
    case .pdf: "pdftotext makes the text of it"
    case .tar: "tar -xf unpacks the files in it"
    case .gzip: "gunzip makes the file of it"
    case .zstandard: "unzstd makes the file of it"
    case .xz: "unxz makes the file of it"
    case .bzip2: "bunzip2 makes the file of it"
    case .utf8Mark: "it is to be saved as UTF-8 without a mark"
    case .utf16: "it is to be saved as UTF-8"
    case .safetensors: "its directory is to be given, with config.json in it"
    case .json: "of a model's config.json, its directory is to be given"
    case .text: "'gpt2 tokenize' turns it into token ids"
    }
  }
}
