import Foundation
import TestSupport
import Testing

/// What people's Hugging Face directories have that computes the same, or is an option of the model.
@Suite struct HuggingFaceVariantTests {
  private static let tiny = ReferenceCase.tiny
  private let files: HuggingFaceFiles

  init() throws { files = try HuggingFaceFiles(Self.tiny.huggingFace) }

  /// What converting the directory to llm.c's version 3 gives, and what is said of it.
  private func converted(_ files: HuggingFaceFiles) throws -> (model: Data?, run: Run) {
    try TemporaryDirectory.with { directory in
      try files.write(to: directory.appending(path: "hf"))
      let run = try Executable.run(["convert", "hf", "out.bin"], in: directory)
      return (try? Data(contentsOf: directory.appending(path: "out.bin")), run)
    }
  }

  @Test(arguments: ["gelu_new", "gelu_fast", "gelu_accurate", "gelu_pytorch_tanh"])
  func namesOfTheTanhForm(name: String) throws {
    var files = files
    files.configuration.replace("gelu_new", with: name)
    let (model, run) = try converted(files)
    #expect(try model == Data(contentsOf: Self.tiny.model) && run.errors.isEmpty, "\(run.errors)")
  }

  @Test func float64IsRounded() throws {
    var files = files
    for index in files.tensors.indices {
      files.tensors[index].type = "F64"
      files.tensors[index].bytes = stride(from: 0, to: files.tensors[index].bytes.count, by: 4).flatMap {
        let bits = files.tensors[index].bytes[$0..<$0 + 4].reversed().reduce(UInt32(0)) {
          $0 << 8 | UInt32($1)
        }
        // A quarter of the last place more, which is rounded away.
        let number = Float(bitPattern: bits)
        let wide = (Double(number) + Double(number.ulp) / 4).bitPattern
        return (0..<8).map { UInt8(truncatingIfNeeded: wide >> (8 * $0)) }
      }
    }
    let (model, run) = try converted(files)
    #expect(try model == Data(contentsOf: Self.tiny.model) && run.errors.isEmpty, "\(run.errors)")
  }

  @Test func otherHeadsAreNamedAndPassedOver() throws {
    var files = files
    for (name, type, shape) in [("score.weight", "F32", [2, 12]), ("summary.summary.bias", "I64", [3])] {
      let count = shape.reduce(type == "I64" ? 8 : 4, *)
      files.tensors.append(
        .init(name: name, type: type, shape: shape, bytes: [UInt8](repeating: 1, count: count)))
    }
    let (model, run) = try converted(files)
    #expect(try run.exitCode == 0 && model == Data(contentsOf: Self.tiny.model), "\(run.errors)")
    #expect(run.errorLines.count == 1, "\(run.errors)")
    #expect(
      run.errors.hasPrefix(
        "warning: hf/model.safetensors: score.weight, summary.summary.bias: no part of GPT-2"))
  }

  /// A head of its own is the embedding, or refused.
  @Test func untiedHeads() throws {
    var files = files
    files.configuration.replace("\"tie_word_embeddings\": true", with: "\"tie_word_embeddings\": false")
    expectRefusal(try converted(files).run, "lm_head.weight", "tie_word_embeddings is false", "missing")
    var head = files.tensors[try files.index("transformer.wte.weight")]
    head.name = "lm_head.weight"
    files.tensors.append(head)
    let (model, run) = try converted(files)
    #expect(try model == Data(contentsOf: Self.tiny.model) && run.errors.isEmpty, "\(run.errors)")
    files.tensors[files.tensors.count - 1].bytes[0] ^= 1
    expectRefusal(try converted(files).run, "lm_head.weight", "the same as wte.weight")
  }

  // MARK: - What the model computes otherwise

  /// The loss of twelve tokens is that of plain loops with the same activation and epsilon, by rule 3; so it is after
  /// another directory was written of the model, and one of training's.
  @Test(arguments: [
    ("gelu", "1e-05", true, 1e-5), ("gelu_python", "0.001", true, 1e-3), ("gelu_new", "1", false, 1),
  ])
  func anotherFunction(name: String, digits: String, isErf: Bool, epsilon: Double) throws {
    let tokens: [Int32] = [3, 14, 15, 9, 26, 5, 3, 5, 8, 9, 7, 9]
    var sizes = try TestCheckpoint(Self.tiny.model).configuration
    sizes.layerNormEpsilon = epsilon
    let plain = PlainPass(
      sizes, parameters: try TestCheckpoint(Self.tiny.model).parameters, activation: isErf ? .geluErf : .gelu,
      batch: TestBatch(
        inputs: Array(tokens.dropLast()), targets: Array(tokens.dropFirst()), batchSize: 1, sequenceLength: 11
      ))
    let allowed = try float32Tolerances(exact: plain.exact, float32: plain.float32)["loss", default: 0]
    let expected = plain.exact["loss", default: []]
    try TemporaryDirectory.with { directory in
      var files = files
      files.configuration.replace("gelu_new", with: name)
      files.configuration.replace("1e-05", with: digits)
      try files.write(to: directory.appending(path: "hf"))
      try Data(tokens.flatMap { bytes($0) }).write(to: directory.appending(path: "tokens.bin"))
      func loss(_ checkpoint: String, _ options: [String] = []) throws -> Double {
        let run = try Executable.run(
          ["evaluate", "--checkpoint", checkpoint, "--data", "tokens.bin", "--json"] + options,
          in: directory)
        let json = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
        return try #require(json?["loss"] as? Double, "\(run.errors)")
      }
      #expect(try abs(loss("hf") - expected[0]) <= allowed)
      #expect(try Executable.run(["convert", "hf", "again"], in: directory).exitCode == 0)
      #expect(try loss("again") == loss("hf"))
      // llm.c's file of the same parameters does not say it; options do.
      let options = [
        "--activation", isErf ? "gelu-erf" : "gelu", "--layer-norm-epsilon", "\(epsilon)",
      ]
      #expect(try loss(Self.tiny.model.path, options) == loss("hf"))
      let converted = try Executable.run(
        ["convert", Self.tiny.model.path, "told"] + options, in: directory)
      #expect(try converted.exitCode == 0 && loss("told") == loss("hf"), "\(converted.errors)")
      let texts = try [["hf"], [Self.tiny.model.path] + options].map {
        try Executable.run(["generate", "--length", "12", "--checkpoint"] + $0, in: directory).output
      }
      #expect(texts[0] == texts[1] && texts[0].split(separator: " ").count == 12, "\(texts)")
      let trained = try Executable.run(
        [
          "train", "--checkpoint", "hf", "--train-data", "tokens.bin", "--batch-size", "1",
          "--sequence-length", "11",
          "--steps", "1", "--learning-rate", "1e-30", "--save", "run",
        ], in: directory)
      #expect(trained.exitCode == 0, "\(trained.errors)")
      #expect(try loss("run") == loss("hf"))
      let resumed = try Executable.run(
        ["train", "--save", "run", "--resume", "--steps", "2"], in: directory)
      #expect(resumed.exitCode == 0, "\(resumed.errors)")
      #expect(try abs(loss("run") - expected[0]) <= allowed)
    }
  }

  /// llm.c's files imply GPT-2's activation and epsilon; refused before training and not after it.
  @Test func llmFilesCannotHoldIt() throws {
    var files = files
    files.configuration.replace("gelu_new", with: "gelu")
    expectRefusal(try converted(files).run, "out.bin", "llm.c file", "gelu-erf", "Hugging Face directory")
    files.configuration.replace("\"gelu\"", with: "\"gelu_new\"")
    files.configuration.replace("1e-05", with: "1e-06")
    expectRefusal(try converted(files).run, "out.bin", "llm.c file", "1e-06", "Hugging Face directory")
    try TemporaryDirectory.with { directory in
      let arguments = TrainCase.arguments(model: Self.tiny.model, data: Self.tiny.tokensInt32)
      for more in [["--activation", "gelu-erf"], ["--layer-norm-epsilon", "1e-6"]] {
        let run = try Executable.run(arguments + more + ["--output", "out.bin"], in: directory)
        expectRefusal(run, "out.bin", "llm.c file", "Hugging Face directory")
        #expect(!run.output.contains("step"))
      }
      for epsilon in ["0", "-1", "nan", "1e-60"] {
        expectRefusal(
          try Executable.run(arguments + ["--layer-norm-epsilon", epsilon], in: directory), exitCode: 64,
          "--layer-norm-epsilon", "above 0")
      }
      let verify = [
        "verify", "--checkpoint", Self.tiny.model.path, "--debug-state", Self.tiny.debugState.path,
      ]
      #expect(try Executable.run(verify, in: directory).exitCode == 0)
      expectRefusal(
        try Executable.run(verify + ["--layer-norm-epsilon", "0.5"], in: directory), "off: logits")
      expectRefusal(
        try Executable.run(verify + ["--layer-norm-epsilon", "0"], in: directory), exitCode: 64, "above 0")
    }
  }
}
