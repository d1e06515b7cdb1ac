import Foundation
import GPT2
import Machine
import Synchronization
import Tokens

/// The readers of vocabularies, merges, JSON lines, HellaSwag and manifests, and the encoder of text.
let tokenizerParsers: [FuzzParser] = [
  FuzzParser(name: "tokenizer", corpus: "tokenizer") { bytes in
    tokenizerFile.write(bytes)
    let tokenizer = try Tokenizer(path: tokenizerFile.path)
    _ = tokenizer.decode((-1...Int32(min(tokenizer.vocabularySize, 64))).map { $0 })
    _ = try TextEncoder(tokenizer).encode("hello the world")
  },
  FuzzParser(name: "tokenizer-json", corpus: "tokenizer-json") { bytes in
    tokenizerJSONFile.write(bytes)
    _ = try TextEncoder(try Tokenizer(path: tokenizerJSONFile.path)).encode("hello the world")
  },
  FuzzParser(name: "vocabulary", corpus: "vocabulary") { bytes in
    vocabularyFile.write(bytes)
    let tokenizer = try Tokenizer(vocabulary: vocabularyFile.path, merges: corpus("merges/merges.txt"))
    _ = try TextEncoder(tokenizer).encode("hello the world")
  },
  FuzzParser(name: "merges", corpus: "merges") { bytes in
    mergesFile.write(bytes)
    let tokenizer = try Tokenizer(vocabulary: fullVocabulary, merges: mergesFile.path)
    _ = try TextEncoder(tokenizer).encode("hello the world, hello in the air and here in there")
  },
  FuzzParser(name: "manifest", corpus: "manifest") { bytes in
    manifestFile.write(bytes)
    _ = try DataManifest(path: manifestFile.path).tokenizer()
    try DataManifest.check(dataFiles, areAll: true)
  },
  FuzzParser(name: "json-lines", corpus: "json-lines", isStreaming: true) { bytes in
    linesFile.write(bytes)
    try lookThrough(linesFile.path)
  },
  FuzzParser(name: "hellaswag", corpus: "hellaswag") { bytes in
    examplesFile.write(bytes)
    try encoder.withLock { encoder in
      let file = try HellaSwagFile(path: examplesFile.path, encoder: encoder)
      precondition(file.examples.allSatisfy { $0.inputCount > 0 }, "an example without tokens")
    }
  },
  FuzzParser(name: "text", corpus: "text", isStreaming: true) { bytes in
    textFile.write(bytes)
    let decoded = try encoder.withLock { encoder in
      try encoder.encode(bytes).flatMap { encoder.tokenizer.bytes(of: $0) ?? [] }
    }
    precondition(decoded == bytes, "other bytes came back")
    try lookThrough(textFile.path)
  },
]

private let tokenizerFile = ScratchFile("tokenizer.bin")
private let tokenizerJSONFile = ScratchFile("tokenizer.json")
private let vocabularyFile = ScratchFile("vocab.json")
private let mergesFile = ScratchFile("merges/merges.txt")
private let manifestFile = ScratchFile("data/x_manifest.json")
/// The files of the data set that the manifests in the corpus tell of.
private let dataFiles = ["x_train.bin", "x_val.bin"].map { name in
  let file = ScratchFile("data/\(name)")
  do {
    file.write([UInt8](try Data(contentsOf: URL(filePath: corpus("tokens/headed.bin")))))
    return try TokenFile(path: file.path)
  } catch { fatalError("the corpus should have tokens: \(error)") }
}
private let linesFile = ScratchFile("lines.jsonl")
private let examplesFile = ScratchFile("hellaswag.bin")
private let textFile = ScratchFile("lines.txt")

/// The corpus's own vocab.json, whose merges all others are made of.
private let fullVocabulary = corpus("vocabulary/vocab.json")

private let encoder = Mutex(corpusEncoder())

private func corpusEncoder() -> TextEncoder {
  do {
    return try TextEncoder(try Tokenizer(vocabulary: fullVocabulary, merges: corpus("merges/merges.txt")))
  } catch { fatalError("the corpus's vocabulary should be one: \(error)") }
}

private func corpus(_ name: String) -> String {
  URL(filePath: #filePath, directoryHint: .notDirectory).deletingLastPathComponent()
    .appending(path: "Corpus/\(name)").path
}

/// Reads documents, with and without splitting them, as `gpt2 tokenize` does.
private func lookThrough(_ path: String) throws {
  for splits in [false, true] {
    let tokenization = Tokenization(
      sources: try TextSource.find([path]), splitsAtBlankLines: splits, parallel: Parallel(threads: 1))
    _ = try tokenization.characters()
  }
}
