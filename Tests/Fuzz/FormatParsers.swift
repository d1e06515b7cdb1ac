import GPT2
import Machine
import Operators
import Tokens

/// The readers of checkpoints, debug states and token files.
let formatParsers: [FuzzParser] = [
  FuzzParser(name: "checkpoint", corpus: "checkpoint") { bytes in
    checkpointFile.write(bytes)
    let checkpoint = try Checkpoint(path: checkpointFile.path)
    load(checkpoint)
  },
  FuzzParser(name: "pytorch", corpus: "pytorch") { bytes in
    pytorchFile.write(bytes)
    _ = try? PyTorchTensors.entries(path: pytorchFile.path)
    load(try Checkpoint(path: pytorchFile.path))
  },
  FuzzParser(name: "debug-state", corpus: "debug-state") { bytes in
    stateFile.write(bytes)
    _ = try DebugStateHeader(path: stateFile.path)
    _ = try DebugState(path: stateFile.path, configuration: smallest())
  },
  FuzzParser(name: "tokens", corpus: "tokens") { bytes in
    tokenFile.write(bytes)
    try readTokens(tokenFile.path)
  },
  FuzzParser(name: "npy", corpus: "npy") { bytes in
    arrayFile.write(bytes)
    try readTokens(arrayFile.path)
  },
]

private let checkpointFile = ScratchFile("checkpoint.bin")
private let pytorchFile = ScratchFile("ckpt.pt")
private let stateFile = ScratchFile("state.bin")
private let tokenFile = ScratchFile("tokens.bin")
private let arrayFile = ScratchFile("tokens.npy")

/// As every type that it may be said to have, and as what it looks like.
private func readTokens(_ path: String) throws {
  for type in TokenType.raw { if let file = try? TokenFile(path: path, type: type) { try? read(file) } }
  try read(try TokenFile(path: path, vocabularySize: 100_000))
  try read(try TokenFile(path: path))
}

private func read(_ file: TokenFile) throws {
  let tokens = file.tokens(in: 0..<file.count)
  for position in file.count > 0 ? [0, file.count - 1] : [] {
    precondition(file.token(at: position) == tokens[position], "two ways to read a token differ")
  }
  try file.validate(vocabularySize: 50257)
}

/// Reads all numbers, where the model has the sizes of one in the corpus: making room takes milliseconds.
func load(_ checkpoint: Checkpoint) {
  let sizes = try? checkpoint.configuration.with(
    activation: .gelu, layerNormEpsilon: Configuration.defaultLayerNormEpsilon)
  let tensors = parameters.first { $0.configuration == sizes }
  if let tensors { checkpoint.load(into: tensors, context: only.context) }
}

/// `@unchecked Sendable`: one thread alone runs one parser after another.
private struct OnlyContext: @unchecked Sendable {
  let context: ExecutionContext
}

private let only = {
  do { return OnlyContext(context: try ExecutionContext(threads: 1)) } catch { fatalError("\(error)") }
}()

private let parameters = [5, 7, 128].map { padded in
  do { return try ParameterTensors(smallest(padded: padded)) } catch { fatalError("\(error)") }
}

/// The model of the checkpoints and debug states in the corpus.
private func smallest(padded: Int = 5) throws -> Configuration {
  try Configuration(
    maximumSequenceLength: 3, vocabularySize: 5, paddedVocabularySize: padded, layers: 1, heads: 2,
    channels: 2)
}
