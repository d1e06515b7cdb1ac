import Foundation
import GPT2
import Machine

/// The readers of a kept step's own files; those of its tensors are among Hugging Face's.
let runParsers: [FuzzParser] = [
  FuzzParser(name: "run-state", corpus: "run-state") { bytes in
    stateFile.write(bytes)
    _ = try RunState(path: stateFile.path)
  },
  FuzzParser(name: "run-manifest", corpus: "run-manifest") { bytes in
    manifestFile.write(bytes)
    _ = try RunStep(path: stepDirectory).configuration()
  },
]

private let stateFile = ScratchFile("state.json")
private let manifestFile = ScratchFile("run/manifest.json")

/// A step whose files are those that the manifest in the corpus tells of.
private let stepDirectory: String = {
  for (file, source) in [
    "model/config.json": "config/ours.json", "model/model.safetensors": "safetensors/float32.safetensors",
    "optimizer.safetensors": "safetensors/float32.safetensors", "state.json": "run-state/adamw.json",
  ] {
    do {
      ScratchFile("run/\(file)").write([UInt8](try Data(contentsOf: Fuzz.corpora.appending(path: source))))
    } catch { fatalError("the corpus has no \(source): \(error)") }
  }
  return ScratchFile.directory.appending(path: "run").path
}()
