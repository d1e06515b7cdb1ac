import Foundation
import TestSupport
import Testing

/// Hugging Face directories that are none: each is refused with one sentence that names the file and the field.
@Suite struct BadHuggingFaceTests {
  private let tiny: HuggingFaceFiles

  init() throws { tiny = try HuggingFaceFiles(ReferenceCase.tiny.huggingFace) }

  /// Converts the directory that `write` makes.
  private func convert(_ write: (URL) throws -> Void) throws -> Run {
    try TemporaryDirectory.with { directory in
      try write(directory.appending(path: "hf"))
      let run = try Executable.run(["convert", "hf", "out.bin"], in: directory)
      #expect(!FileManager.default.fileExists(atPath: directory.appending(path: "out.bin").path))
      return run
    }
  }

  /// With this config.json.
  private func convert(configuration: String) throws -> Run {
    try convert { directory in
      var files = tiny
      files.configuration = configuration
      try files.write(to: directory)
    }
  }

  /// With these bytes as model.safetensors.
  private func convert(tensors: [UInt8]) throws -> Run {
    try convert { directory in
      try HuggingFaceFiles.write(tiny.configuration, to: "config.json", in: directory)
      try HuggingFaceFiles.write(tensors, to: "model.safetensors", in: directory)
    }
  }

  /// With one tensor changed.
  private func convert(
    _ name: String, _ change: (inout [HuggingFaceFiles.Tensor], Int) -> Void
  ) throws -> Run {
    var tensors = tiny.tensors
    change(&tensors, try tiny.index("transformer." + name))
    return try convert(tensors: HuggingFaceFiles.file(tensors))
  }

  // MARK: - config.json

  @Test func aDirectoryOfOtherThings() throws {
    expectRefusal(try convert { try HuggingFaceFiles.write("", to: "x", in: $0) }, "hf", "config.json")
    expectRefusal(
      try convert { try HuggingFaceFiles.write(tiny.configuration, to: "config.json", in: $0) }, "hf",
      "model.safetensors")
    expectRefusal(
      try convert { directory in
        try tiny.write(to: directory)
        try HuggingFaceFiles.write("", to: "x", in: directory.appending(path: "inner/config.json"))
        try FileManager.default.removeItem(at: directory.appending(path: "config.json"))
        try FileManager.default.moveItem(
          at: directory.appending(path: "inner/config.json"), to: directory.appending(path: "config.json"))
      }, "hf/config.json", "directory")
  }

  @Test(arguments: [
    ("", "byte 0", "a JSON value"), ("{", "byte 1", "a name in quotes"), ("{}", "n_ctx", "missing"),
    ("[]", "the JSON", "an array"), ("{\"a\":1,}", "byte 7", "a name"), ("{\"a\" 1}", "a colon", "'1'"),
    ("{'a':1}", "a name in quotes", "'''"), ("{\"a\":01}", "a comma", "'1'"), ("{\"a\":1}x", "byte 7", "'x'"),
    ("{\"a\":+1}", "a JSON value", "'+'"), ("{\"a\":1.}", "a digit", "'}'"), ("{\"a\":-}", "a digit", "'}'"),
    ("{\"a\":1e999}", "float64", "1e999"), ("{\"a\":NaN}", "a JSON value", "'N'"),
    ("{\"a\":tru}", "true", "'t'"), ("{\"a\":\"\\x\"}", "after a backslash", "'x'"),
    ("{\"a\":\"\n\"}", "byte 6", "10"),
    ("{\"a\":\"\\ud800\"}", "surrogates", "half"), ("{\"a\":\"\\u12g4\"}", "hexadecimal", "'g'"),
    ("{\"a\":1,\"b\":2,\"a\":3}", "byte 13", "'a' a second time"), ("{\"a\":[1 2]}", "a comma", "'2'"),
    (String(repeating: "[", count: 100_000), "byte 64", "64 levels"),
    (String(repeating: "{\"a\":", count: 65), "64 levels", "'{'"),
    (String(repeating: " ", count: 16 << 20) + "{}", "16777216 bytes", "16777218"),
  ])
  func whatIsNotJSON(text: String, first: String, second: String) throws {
    expectRefusal(try convert(configuration: text), "hf/config.json", first, second)
  }

  @Test func textThatIsNotUTF8() throws {
    let run = try convert { directory in
      try HuggingFaceFiles.write([0x7B, 0x22, 0xC3, 0x28, 0x22], to: "config.json", in: directory)
    }
    expectRefusal(run, "hf/config.json", "byte 2", "UTF-8")
  }

  @Test(arguments: [
    ("\"gelu_new\"", "\"relu\"", "activation_function", "'relu'"),
    ("\"gelu_new\"", "\"gelu_10\"", "activation_function", "'gelu_10'"),
    ("\"gelu_new\"", "3", "activation_function", "3"),
    ("\"gpt2\"", "\"llama\"", "model_type", "'llama'"),
    ("1e-05", "0", "epsilon of layer normalisation", "0.0"), ("1e-05", "1e-50", "epsilon", "1e-50"),
    ("1e-05", "1e40", "epsilon", "1e+40"), ("1e-05", "\"x\"", "layer_norm_epsilon", "'x'"),
    ("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": 1", "tie_word_embeddings", "1"),
    ("\"tie_word_embeddings\"", "\"scale_attn_by_inverse_layer_idx\"", "scale_attn_by_inverse", "true"),
    ("\"n_layer\": 2", "\"n_layer\": \"2\"", "n_layer", "'2'"),
    ("\"n_layer\": 2", "\"n_layer\": 2.0", "n_layer", "2.0"),
    ("\"n_layer\": 2", "\"layers\": 2", "n_layer", "missing"),
    ("\"n_layer\": 2", "\"n_layer\": null", "n_layer", "missing"),
    ("\"n_layer\": 2", "\"n_layer\": 0", "number of layers", "0"),
    ("\"n_layer\": 2", "\"n_layer\": 2147483648", "number of layers", "2147483648"),
    ("\"n_head\": 2", "\"n_head\": 5", "channels", "5 heads"),
    ("\"n_layer\": 2", "\"n_layer\": 2, \"n_inner\": 24", "n_inner", "24"),
  ])
  func configurationsOfOtherModels(old: String, new: String, first: String, second: String) throws {
    let run = try convert(configuration: tiny.configuration.replacing(old, with: new))
    expectRefusal(run, "hf/config.json", first, second)
  }

  /// Sizes that the tensors do not have; those of 2³¹ layers must not be allocated on the way.
  @Test(arguments: [
    ("\"n_layer\": 2", "\"n_layer\": 3", "h.2.ln_1.weight", "missing"),
    ("\"n_layer\": 2", "\"n_layer\": 2147483647", "h.2.ln_1.weight", "missing"),
    ("\"n_layer\": 2", "\"n_layer\": 1", "h.1.attn.c_attn.bias", "unknown"),
    ("\"vocab_size\": 29", "\"vocab_size\": 28", "transformer.wte.weight", "[29, 12]"),
    ("\"n_positions\": 16", "\"n_positions\": 17", "transformer.wpe.weight", "[17, 12]"),
    ("\"n_embd\": 12", "\"n_embd\": 2000012", "transformer.wte.weight", "[29, 12]"),
  ])
  func sizesThatTheTensorsDoNotHave(old: String, new: String, first: String, second: String) throws {
    let run = try convert(configuration: tiny.configuration.replacing(old, with: new))
    expectRefusal(run, "hf/model.safetensors", first, second)
  }

  // MARK: - model.safetensors

  @Test func truncatedFiles() throws {
    let whole = HuggingFaceFiles.file(tiny.tensors)
    expectRefusal(try convert(tensors: []), "hf/model.safetensors", "the file's size", "empty")
    expectRefusal(try convert(tensors: Array(whole.prefix(7))), "the file's size", "7 bytes")
    expectRefusal(try convert(tensors: Array(whole.prefix(8))), "the header's length", "0 bytes that follow")
    expectRefusal(try convert(tensors: Array(whole.prefix(900))), "the header's length", "892 bytes")
    expectRefusal(try convert(tensors: whole.dropLast()), "the file's size", "1 too few")
    expectRefusal(try convert(tensors: whole + [0]), "the file's size", "1 too many")
  }

  @Test(arguments: [UInt64.max, 1 << 63, 1 << 40, 1, 0])
  func headersThatLieAboutTheirLength(length: UInt64) throws {
    var file = HuggingFaceFiles.file(tiny.tensors)
    for index in 0..<8 { file[index] = UInt8(truncatingIfNeeded: length >> UInt64(8 * index)) }
    expectRefusal(try convert(tensors: file), "hf/model.safetensors", "the header")
  }

  @Test(arguments: [
    ("[]", "the header", "an array"), ("{\"a\":1}", "the tensor a", "1"),
    ("{\"a\":{}}", "the dtype of the tensor a", "missing"),
    ("{\"a\":{\"dtype\":\"F31\"}}", "the dtype of the tensor a", "'F31'"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":2}}", "the shape of the tensor a", "2"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5]}}", "the shape of the tensor a", "1.5"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", "the data_offsets of the tensor a", "missing"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", "the data_offsets", "[0]"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", "the data_offsets", "[8, 0]"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", "the data_offsets", "[-8, 0]"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", "the data_offsets", "8 bytes apart"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", "the data_offsets", "shape [-2]"),
    (
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}",
      "the data_offsets", "0 bytes apart"
    ),
    (
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775807],\"data_offsets\":[0,9223372036854775807]}}",
      "the data_offsets", "within the file"
    ),
    (
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
        + "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "the tensor b", "an overlap"
    ),
    (
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
        + "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[6,8]}}", "the tensor b", "a gap"
    ),
    (
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
        + "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "the header", "a second time"
    ),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "the file's size", "4 too many"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", "the file's size", "8 too few"),
  ])
  func headersThatAreWrong(header: String, first: String, second: String) throws {
    let file = HuggingFaceFiles.file(header: header, data: [UInt8](repeating: 0, count: 8))
    expectRefusal(try convert(tensors: file), "hf/model.safetensors", first, second)
  }

  @Test func tensorsThatAreWrong() throws {
    let weight = "h.1.mlp.c_fc.weight"
    expectRefusal(try convert(weight) { $0.remove(at: $1) }, "the tensor \(weight)", "missing")
    expectRefusal(try convert(weight) { $0[$1].shape.reverse() }, weight, "[12, 48]", "[48, 12]")
    expectRefusal(try convert(weight) { $0[$1].shape = [576] }, weight, "the shape", "[576]")
    expectRefusal(try convert(weight) { $0[$1].type = "I32" }, weight, "the dtype", "I32")
    expectRefusal(try convert(weight) { $0[$1].name = "score.weight" }, weight, "missing")
    expectRefusal(
      try convert(weight) {
        $0.append($0[$1])
        $0[$0.count - 1].name = "transformer.score.weight"
      }, "score.weight", "unknown")
    expectRefusal(
      try convert(weight) {
        $0.append($0[$1])
        $0[$0.count - 1].name = "lm_head.bias"
      }, "lm_head.bias", "unknown")
    expectRefusal(
      try convert(weight) {
        $0.append($0[$1])
        $0[$0.count - 1].name = weight
      }, weight, "there twice")
    expectRefusal(
      try convert("wte.weight") {
        var head = $0[$1]
        head.name = "lm_head.weight"
        head.bytes[100] ^= 1
        $0.append(head)
      }, "lm_head.weight", "the same as wte.weight")
    expectRefusal(
      try convert("wte.weight") {
        var head = $0[$1]
        head.name = "lm_head.weight"
        head.shape.reverse()
        $0.append(head)
      }, "lm_head.weight", "[12, 29]")
  }

  // MARK: - model.safetensors.index.json

  /// With another place for one tensor in the index.
  private func convert(place: String?) throws -> Run {
    try convert { directory in
      try tiny.writeShards(to: directory)
      // A file that must not be found by going up.
      try HuggingFaceFiles.write(
        HuggingFaceFiles.file(tiny.tensors), to: "x.safetensors", in: directory.deletingLastPathComponent())
      var places: [String: String] = [:]
      for (index, tensor) in tiny.tensors.enumerated() {
        places[tensor.name] = index < 5 ? "model-1.safetensors" : "model-2.safetensors"
      }
      places["transformer.wpe.weight"] = place
      try HuggingFaceFiles.write(
        try HuggingFaceFiles.index(places), to: "model.safetensors.index.json", in: directory)
    }
  }

  @Test(arguments: [
    "../x.safetensors", "/etc/passwd", "inner/model-2.safetensors", "", ".", "..", "a\0b",
  ])
  func placesOutsideTheDirectory(place: String) throws {
    expectRefusal(
      try convert(place: place), "hf/model.safetensors.index.json", "transformer.wpe.weight",
      "a file in the same directory")
  }

  @Test func indicesThatAreWrong() throws {
    let name = "hf/model.safetensors.index.json"
    expectRefusal(try convert(place: "model-3.safetensors"), name, "weight_map", "'model-3.safetensors'")
    expectRefusal(try convert(place: "model-1.safetensors"), name, "transformer.wpe.weight")
    expectRefusal(try convert(place: nil), name, "transformer.wpe.weight", "missing")
    for (text, first, second) in [
      ("{}", "weight_map", "missing"), ("{\"weight_map\":[]}", "weight_map", "an array"),
      ("{\"weight_map\":{\"a\":1}}", "the a of weight_map", "1"),
    ] {
      let run = try convert { directory in
        try tiny.writeShards(to: directory)
        try HuggingFaceFiles.write(text, to: "model.safetensors.index.json", in: directory)
      }
      expectRefusal(run, name, first, second)
    }
    let truncated = try convert { directory in
      try tiny.writeShards(to: directory)
      let shard = HuggingFaceFiles.file(Array(tiny.tensors.dropFirst(5))).dropLast()
      try HuggingFaceFiles.write(Array(shard), to: "model-2.safetensors", in: directory)
    }
    expectRefusal(truncated, "hf/model-2.safetensors", "1 too few")
  }

  // MARK: - Other commands

  @Test func everyCommandRefusesThem() throws {
    try TemporaryDirectory.with { directory in
      let model = directory.appending(path: "hf")
      try tiny.write(to: model)
      let file = directory.appending(path: "hf/model.safetensors").path
      func run(_ arguments: String...) throws -> Run { try Executable.run(arguments, in: directory) }
      expectRefusal(try run("convert", file, "out.bin"), "model.safetensors", "directory is to be given")
      expectRefusal(try run("train", "--checkpoint", file, "--train-data", "x"), "directory is to be given")
      let rows = try run("inspect", file).lines.map { $0.split(separator: " ").joined(separator: " ") }
      #expect(rows.contains("transformer.h.1.mlp.c_proj.weight F32 48 × 12 2.2 KiB"))
      try Data(HuggingFaceFiles.file(tiny.tensors).dropLast(3)).write(to: URL(filePath: file))
      expectRefusal(try run("inspect", file), "model.safetensors", "3 too few")
      expectRefusal(try run("inspect", "hf"), "hf/model.safetensors", "3 too few")
      let state = ReferenceCase.tiny.debugState.path
      expectRefusal(try run("verify", "--checkpoint", "hf", "--debug-state", state), "3 too few")
      expectRefusal(
        try run("train", "--checkpoint", "hf", "--train-data", ReferenceCase.tiny.tokensInt32.path),
        "3 too few")
    }
  }
}
