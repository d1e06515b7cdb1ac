import Foundation
import TestSupport
import Testing

/// nanoGPT's ckpt.pt and PyTorch's pytorch_model.bin, made byte by byte of the reference case.
@Suite struct PyTorchTests {
  private static let tiny = ReferenceCase.tiny
  private let files: HuggingFaceFiles

  init() throws { files = try HuggingFaceFiles(Self.tiny.huggingFace) }

  /// As nanoGPT has them: linear weights (out, in), the head the same storage as the embedding.
  private func nanoGPT(prefix: String = "", withBiases: Bool = true) -> PyTorchBytes {
    var storages: [PyTorchBytes.Storage] = []
    var tensors: [(String, PyTorchBytes.Object)] = []
    for tensor in files.tensors where withBiases || !tensor.name.hasSuffix(".bias") {
      let isLinear = tensor.shape.count == 2 && tensor.name.contains(".h.")
      let (shape, bytes) =
        isLinear ? (tensor.shape.reversed(), transposed(tensor)) : (tensor.shape, tensor.bytes)
      if tensor.name == "transformer.wte.weight" {
        tensors.append((prefix + "lm_head.weight", .tensor(storage: storages.count, shape: shape)))
      }
      tensors.append((prefix + tensor.name, .tensor(storage: storages.count, shape: shape)))
      storages.append(.init(count: bytes.count / 4, bytes: bytes))
    }
    return PyTorchBytes(checkpoint(tensors), storages: storages)
  }

  private func checkpoint(_ tensors: [(String, PyTorchBytes.Object)], vocabulary: Int = 29)
    -> PyTorchBytes.Object
  {
    .dictionary([
      ("model", .stateDictionary(tensors)),
      ("optimizer", .dictionary([("state", .list([.none, .number(0.5)]))])),
      (
        "model_args",
        .dictionary([
          ("n_layer", .integer(2)), ("n_head", .integer(2)), ("n_embd", .integer(12)),
          ("block_size", .integer(16)),
          ("bias", .boolean(true)), ("vocab_size", .integer(vocabulary)), ("dropout", .number(0)),
        ])
      ), ("iter_num", .integer(100_000)), ("config", .dictionary([("out_dir", .text("out"))])),
    ])
  }

  private func transposed(_ tensor: HuggingFaceFiles.Tensor) -> [UInt8] {
    let (rows, columns) = (tensor.shape[0], tensor.shape[1])
    var bytes: [UInt8] = []
    for column in 0..<columns {
      for row in 0..<rows {
        let start = 4 * (row * columns + column)
        bytes += tensor.bytes[start..<start + 4]
      }
    }
    return bytes
  }

  private func convert(
    _ file: [UInt8], _ arguments: String..., to target: String = "out.bin"
  ) throws -> (model: Data?, run: Run) {
    try TemporaryDirectory.with { directory in
      try HuggingFaceFiles.write(file, to: "ckpt.pt", in: directory)
      let run = try Executable.run(["convert", "ckpt.pt", target] + arguments, in: directory)
      let name = target.hasSuffix(".bin") ? target : target + "/config.json"
      return (try? Data(contentsOf: directory.appending(path: name)), run)
    }
  }

  @Test(arguments: ["", "_orig_mod."], [false, true])
  func aCheckpointOfNanoGPTHoldsTheNumbers(prefix: String, isWide: Bool) throws {
    var made = nanoGPT(prefix: prefix)
    made.isWide = isWide
    let (model, run) = try convert(made.file, "--activation", "gelu")
    #expect(try model == Data(contentsOf: Self.tiny.model), "\(run.errors)")
    #expect(run.errorLines.count == 1 && run.errors.contains("gelu-erf"), "\(run.errors)")
    #expect(run.output.contains("nanoGPT checkpoint, float32"), "\(run.output)")
  }

  /// Its activation is exact, which llm.c's files cannot hold and Hugging Face's can; biases that it lacks are zero.
  @Test func whatNanoGPTComputes() throws {
    expectRefusal(
      Run(try convert(nanoGPT().file).run, withoutWarnings: true), "llm.c file", "gelu-erf", "Hugging Face")
    let (text, run) = try convert(nanoGPT(withBiases: false).file, to: "hf")
    #expect(run.exitCode == 0 && run.errors.contains("there are no biases: they are zero"), "\(run.errors)")
    #expect(String(decoding: text ?? Data(), as: UTF8.self).contains("\"activation_function\": \"gelu\""))
    try TemporaryDirectory.with { directory in
      try HuggingFaceFiles.write(nanoGPT().file, to: "ckpt.pt", in: directory)
      let generated = try Executable.run(
        ["generate", "--checkpoint", "ckpt.pt", "--tokens", "1,2", "--length", "4", "--json"], in: directory)
      #expect(generated.exitCode == 0, "\(generated.errors)")
      let inspected = try Executable.run(["inspect", "ckpt.pt"], in: directory)
      #expect(inspected.output.contains("nanoGPT checkpoint, float32"), "\(inspected.errors)")
    }
  }

  /// 50304 rows are GPT-2's vocabulary and padding.
  @Test func aPaddedVocabulary() throws {
    var made = nanoGPT()
    let place = try #require(made.storages.firstIndex { $0.count == 29 * 12 })
    made.storages[place] = .init(count: 50304 * 12, bytes: [UInt8](repeating: 0, count: 4 * 50304 * 12))
    guard case .dictionary(var members) = made.root, case .stateDictionary(var tensors) = members[0].1 else {
      return
    }
    for index in tensors.indices
    where tensors[index].0.hasSuffix("wte.weight") || tensors[index].0 == "lm_head.weight" {
      tensors[index].1 = .tensor(storage: place, shape: [50304, 12])
    }
    guard case .dictionary(let other) = checkpoint(tensors, vocabulary: 50304) else { return }
    members = other
    made.root = .dictionary(members)
    let (text, run) = try convert(made.file, to: "hf")
    #expect(
      String(decoding: text ?? Data(), as: UTF8.self).contains("\"vocab_size\": 50257"), "\(run.errors)")
    #expect(run.errors.contains("the last 47 are padding"), "\(run.errors)")
  }

  // MARK: - pytorch_model.bin

  /// Converts a directory of config.json and this.
  private func convert(directory made: PyTorchBytes) throws -> (model: Data?, run: Run) {
    try TemporaryDirectory.with { directory in
      let folder = directory.appending(path: "hf")
      try HuggingFaceFiles.write(files.configuration, to: "config.json", in: folder)
      try HuggingFaceFiles.write(made.file, to: "pytorch_model.bin", in: folder)
      let run = try Executable.run(["convert", "hf", "out.bin"], in: directory)
      return (try? Data(contentsOf: directory.appending(path: "out.bin")), run)
    }
  }

  /// All tensors in one storage, one after the other.
  private func stateDictionary() -> PyTorchBytes {
    var tensors: [(String, PyTorchBytes.Object)] = []
    var bytes: [UInt8] = []
    for tensor in files.tensors {
      tensors.append((tensor.name, .tensor(storage: 0, shape: tensor.shape, offset: bytes.count / 4)))
      bytes += tensor.bytes
    }
    return PyTorchBytes(.stateDictionary(tensors), storages: [.init(count: bytes.count / 4, bytes: bytes)])
  }

  @Test func aDirectoryOfPyTorchs() throws {
    let (model, run) = try convert(directory: stateDictionary())
    #expect(try model == Data(contentsOf: Self.tiny.model) && run.errors.isEmpty, "\(run.errors)")
    expectRefusal(try convert(stateDictionary().file).run, "model_args", "its directory is to be given")
  }

  @Test func stridesAndStoragesAreChecked() throws {
    func refused(_ change: (inout PyTorchBytes, inout PyTorchBytes.Object) -> Void) throws -> Run {
      var made = stateDictionary()
      guard case .stateDictionary(var tensors) = made.root else { return try convert(directory: made).run }
      change(&made, &tensors[0].1)
      made.root = .stateDictionary(tensors)
      return try convert(directory: made).run
    }
    let (name, shape) = (files.tensors[0].name, files.tensors[0].shape)
    expectRefusal(
      try refused { $1 = .tensor(storage: 0, shape: shape, strides: shape.map { _ in 2 }) }, name, "strides",
      "contiguous()")
    expectRefusal(
      try refused { $1 = .tensor(storage: 0, shape: shape, offset: 100_000) }, name, "within its storage")
    expectRefusal(try refused { $1 = .tensor(storage: 0, shape: [-1, -36]) }, name, "within its storage")
    expectRefusal(try refused { made, _ in made.storages[0].count += 1 }, name, "the storage", "an entry of")
    expectRefusal(
      try refused { made, _ in
        made.storages[0].type = "LongStorage"
        made.storages[0].bytes += made.storages[0].bytes
      }, "dtype", "I64")
    expectRefusal(
      try refused {
        $0.byteOrder = "big"
        _ = $1
      }, "byteorder", "little", "'big'")
    expectRefusal(try refused { $1 = .text("x") }, name, "a tensor", "'x'")
    expectRefusal(try refused { made, _ in made.method = 8 }, "data.pkl", "compressed by deflate", "zip -0")
  }

  /// Nothing is run, whatever a pickle asks for, and what it asks for is named.
  @Test(arguments: [("os", "system"), ("builtins", "eval"), ("numpy.core.multiarray", "scalar")])
  func otherClassesAreRefusedByName(module: String, name: String) throws {
    let made = PyTorchBytes(.dictionary([("model", .call(module, name))]), storages: [])
    expectRefusal(try convert(made.file).run, "data.pkl at byte", "\(module).\(name)")
  }

  @Test func filesThatAreCut() throws {
    let whole = nanoGPT().file
    for count in [10, 100, whole.count / 2, whole.count - 1] {
      expectRefusal(try convert(Array(whole.prefix(count))).run, "ckpt.pt", "truncated")
    }
    expectRefusal(try convert([0x80, 2] + Array("cos\nsystem\n.".utf8)).run, "a Python pickle", "torch.save")
  }
}

extension Run {
  /// A run without what it warned of.
  fileprivate init(_ run: Run, withoutWarnings: Bool) {
    let errors = run.errors.split(separator: "\n").filter { !$0.hasPrefix("warning: ") }
    self.init(exitCode: run.exitCode, output: run.output, errors: errors.map { $0 + "\n" }.joined())
  }
}
