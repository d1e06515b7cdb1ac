/// The little-endian int32 that opens a file of llm.c's.
public enum FileMagic: Int32, Sendable, CaseIterable {
  case checkpoint = 20_240_326
  case debugState = 20_240_327
  case tokenizer = 20_240_328
  case tokens = 20_240_520
  /// As `tokens`, with ids of 32 bits.
  case longTokens = 20_240_801
  case hellaSwag = 20_240_522

  /// What the file is, with its article.
  public var kind: String {
    switch self {
    case .checkpoint: "an llm.c checkpoint"
    case .debugState: "an llm.c debug state"
    case .tokenizer: "an llm.c tokenizer"
    case .tokens: "an llm.c data file"
    case .longTokens: "an llm.c data file of uint32"
    case .hellaSwag: "an llm.c HellaSwag file"
    }
  }

  /// What may be given where the file is: what is known instead, too.
  package var wanted: String {
    switch self {
    case .checkpoint: "\(kind), nanoGPT's ckpt.pt, or a model's directory"
    case .tokenizer: "\(kind), a tokenizer.json, or a vocab.json with merges.txt beside it"
    case .debugState, .tokens, .longTokens, .hellaSwag: kind
    }
  }

  /// Where the file belongs.
  package var advice: String {
    switch self {
    case .checkpoint: "it goes behind --checkpoint"
    case .debugState: "it goes behind --debug-state of 'gpt2 verify'"
    case .tokenizer: "it goes behind --tokenizer"
    case .tokens, .longTokens: "it goes behind --train-data of 'gpt2 train', or --data of 'gpt2 evaluate'"
    case .hellaSwag: "it goes behind --hellaswag of 'gpt2 evaluate'"
    }
  }

  /// The magic number that the file at `path` opens with; nil where it is none of these.
  ///
  /// - Throws: `FormatError.file` where the file cannot be read.
  public static func detect(path: String) throws(FormatError) -> FileMagic? { detect(try mapped(path)) }

  package static func detect(_ file: MappedFile) -> FileMagic? {
    guard file.byteCount >= MemoryLayout<Int32>.size else { return nil }
    return FileMagic(rawValue: file.read(Int32.self, at: 0))
  }
}
