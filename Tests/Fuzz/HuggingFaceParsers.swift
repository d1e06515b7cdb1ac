import Foundation
import GPT2
import Machine

/// The readers of Hugging Face's directories: one file of a whole directory is mutated, the others are in order.
let huggingFaceParsers: [FuzzParser] = [
  FuzzParser(name: "safetensors", corpus: "safetensors") { bytes in
    tensorsFile.write(bytes)
    _ = try SafetensorsFile(path: tensorsFile.path)
    load(try Checkpoint(path: tensorsDirectory))
  },
  FuzzParser(name: "config", corpus: "config") { bytes in
    configurationFile.write(bytes)
    load(try Checkpoint(path: configurationDirectory))
  },
  FuzzParser(name: "index", corpus: "index") { bytes in
    indexFile.write(bytes)
    load(try Checkpoint(path: indexDirectory))
  },
]

private let tensorsFile = ScratchFile("tensors/model.safetensors")
private let tensorsDirectory = directory("tensors", ["config.json": "config/ours.json"])

private let configurationFile = ScratchFile("configuration/config.json")
private let configurationDirectory = directory(
  "configuration", ["model.safetensors": "safetensors/float32.safetensors"])

private let indexFile = ScratchFile("index/model.safetensors.index.json")
private let indexDirectory = directory(
  "index",
  [
    "config.json": "config/ours.json", "1.safetensors": "shards/1.safetensors",
    "2.safetensors": "shards/2.safetensors",
  ])

/// The path of a scratch directory with copies of files of the corpus.
private func directory(_ name: String, _ files: [String: String]) -> String {
  for (file, source) in files {
    do {
      ScratchFile("\(name)/\(file)").write(
        [UInt8](try Data(contentsOf: Fuzz.corpora.appending(path: source))))
    } catch { fatalError("the corpus has no \(source): \(error)") }
  }
  return ScratchFile.directory.appending(path: name).path
}
