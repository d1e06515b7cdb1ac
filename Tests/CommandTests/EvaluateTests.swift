import Foundation
import GPT2
import TestSupport
import Testing
import Tokens

/// What `gpt2 evaluate --json` prints.
private struct EvaluationLine: Decodable {
  let loss, perplexity: Double
  let bitsPerByte: Double?
  let tokens, sequenceLength, stride: Int
  let bytes: Int?

  static func read(_ run: Run) throws -> EvaluationLine {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(EvaluationLine.self, from: Data(run.output.utf8))
  }
}

private struct AccuracyLine: Decodable {
  let accuracy: Double
  let right, examples: Int

  static func read(_ run: Run) throws -> AccuracyLine {
    try JSONDecoder().decode(AccuracyLine.self, from: Data(run.output.utf8))
  }
}

@Suite struct EvaluateTests {
  private func evaluate(_ arguments: [String], in directory: URL) throws -> Run {
    let run = try Executable.run(["evaluate"] + arguments, in: directory)
    #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
    return run
  }

  /// A file of the library's random tokens.
  private func write(_ count: Int, seed: UInt64, to name: String, in directory: URL) throws -> TokenFile {
    var random = TestRandom(seed: seed)
    var file = FileBytes()
    file.append(random.tokens(count, vocabulary: TestVocabulary.size))
    try InferenceCase.write(file.bytes, to: name, in: directory)
    return try TokenFile(path: directory.appending(path: name).path)
  }

  private func expected(_ files: [TokenFile], length: Int, stride: Int) throws -> Evaluation {
    let model = try InferenceCase.model()
    let windows = try Evaluation.Windows(length: length, stride: stride, for: model.configuration)
    var evaluation = Evaluation()
    for file in files {
      try evaluation.add(
        file, windows: windows, network: model.network, in: model.inference,
        tokenizer: try InferenceCase.tokenizer())
    }
    return evaluation
  }

  /// Blocked by default, sliding by a stride, over one file and over several, from a file and from a directory.
  @Test func lossesAreTheLibrarys() throws {
    try InferenceCase.with { directory in
      let a = try write(101, seed: 91, to: "a.bin", in: directory)
      let b = try write(30, seed: 92, to: "b.bin", in: directory)
      for (arguments, files, length, stride) in [
        (["--data", "a.bin"], [a], 24, 24), (["--data", "a.bin", "b.bin"], [a, b], 24, 24),
        (["--data", "a.bin", "--stride", "7"], [a], 24, 7),
        (["--checkpoint", "hf", "--data", "b.bin", "--sequence-length", "10", "--stride", "3"], [b], 10, 3),
        (["--data", "a.bin", "--batch-size", "1", "--threads", "3", "--isa", "portable"], [a], 24, 24),
      ] as [([String], [TokenFile], Int, Int)] {
        let line = try EvaluationLine.read(try evaluate(arguments + ["--json"], in: directory))
        let expected = try expected(files, length: length, stride: stride)
        #expect(line.loss == expected.loss && line.perplexity == expected.perplexity, "\(arguments)")
        #expect(line.tokens == expected.tokens && line.bytes == expected.bytes)
        #expect(line.bitsPerByte == expected.bitsPerByte)
        #expect(line.sequenceLength == length && line.stride == stride)
      }
    }
  }

  @Test func aTableSaysWhichWindows() throws {
    try InferenceCase.with { directory in
      _ = try write(60, seed: 93, to: "a.bin", in: directory)
      let blocked = try evaluate(["--data", "a.bin"], in: directory).output
      #expect(
        blocked.contains("of 24 tokens, one after another") && blocked.contains("bits/byte"), "\(blocked)")
      let sliding = try evaluate(["--data", "a.bin", "--stride", "5"], in: directory).output
      #expect(sliding.contains("of 24 tokens, 5 apart"), "\(sliding)")
    }
    try InferenceCase.with(tokenizer: false) { directory in
      _ = try write(60, seed: 93, to: "a.bin", in: directory)
      let table = try evaluate(["--data", "a.bin"], in: directory).output
      #expect(table.contains("unknown: there is no gpt2_tokenizer.bin"), "\(table)")
      let line = try EvaluationLine.read(try evaluate(["--data", "a.bin", "--json"], in: directory))
      #expect(line.bitsPerByte == nil && line.bytes == nil)
    }
  }

  /// The manifest beside token files tells their vocabulary: a model of bytes, and one of another vocabulary.
  @Test func manifestsTellTheVocabulary() throws {
    try InferenceCase.with(tokenizer: false) { directory in
      try InferenceCase.write(Array("some text of bytes".utf8), to: "t.txt", in: directory)
      let tokenized = try Executable.run(
        [
          "tokenize", "t.txt", "--vocabulary", "bytes", "--val-fraction", "0", "--output-directory", "data",
          "--name",
          "x",
        ], in: directory)
      #expect(tokenized.exitCode == 0, "\(tokenized.errors)")
      let model = try RandomModel.make(vocabulary: 257, context: 16)
      try Checkpoint.write(
        model.parameters, to: directory.appending(path: "bytes.bin").path, context: model.context)
      let run = try evaluate(
        ["--checkpoint", "bytes.bin", "--data", "data/x_train.bin", "--json"], in: directory)
      let line = try EvaluationLine.read(run)
      #expect(line.tokens == 18 && line.bytes == 18)
      #expect(abs((line.bitsPerByte ?? 0) - line.loss / log(2)) < 1e-12)
      let text = try Executable.run(
        ["generate", "--checkpoint", "bytes.bin", "--tokenizer", "data/x_manifest.json", "--prompt", "so"],
        in: directory)
      #expect(text.exitCode == 0 && text.output.hasPrefix("so"), "\(text.errors)")
      expectRefusal(
        try Executable.run(["evaluate", "--data", "data/x_train.bin"], in: directory), "x_manifest.json",
        "the model's 278 tokens, but has 257 (bytes)")
    }
  }

  /// llm.c's file and the original's lines of the same examples, whose answers the library gives.
  @Test func hellaSwagInBothForms() throws {
    let texts = [
      ("hello the", ["world", "in the air", "a", "here"], 1), ("the world", ["hello", "é"], 0),
      ("abc", [" b", "ring", "re"], 2),
    ]
    let encoder = try TextEncoder(try InferenceCase.tokenizer())
    let examples = try texts.map { context, endings, label in
      (try encoder.encode(context), try endings.map { try encoder.encode(" " + $0) }, label)
    }
    let model = try InferenceCase.model()
    var score = HellaSwag()
    for (context, completions, label) in examples {
      try score.add(
        HellaSwagExample(context: context, completions: completions, label: label), network: model.network,
        in: model.inference)
    }
    let lines = texts.map { context, endings, label in
      let quoted = endings.map { "\"\($0)\"" }.joined(separator: ", ")
      return "{\"ind\": 1, \"ctx\": \"\(context)\", \"label\": \(label), \"endings\": [\(quoted)]}\n"
    }
    try InferenceCase.with { directory in
      try InferenceCase.write(HellaSwagBytes.file(examples), to: "hellaswag_val.bin", in: directory)
      try InferenceCase.write(Array(lines.joined().utf8), to: "hellaswag_val.jsonl", in: directory)
      for name in ["hellaswag_val.bin", "hellaswag_val.jsonl"] {
        let line = try AccuracyLine.read(try evaluate(["--hellaswag", name, "--json"], in: directory))
        #expect(line.examples == 3 && line.right == score.right && line.accuracy == score.accuracy, "\(name)")
        let table = try evaluate(["--hellaswag", name], in: directory).output
        #expect(table.contains("accuracy") && table.contains("examples"), "\(table)")
      }
    }
  }

  // MARK: - Bad input

  private func refused(
    _ arguments: String..., exitCode: Int32 = 1, contains fragments: String...,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try InferenceCase.with { directory in
      _ = try write(60, seed: 94, to: "a.bin", in: directory)
      for (name, tokens) in [("one.bin", [1]), ("beyond.bin", [1, 2, 278, 3]), ("empty.bin", [])]
        as [(String, [Int32])]
      {
        var file = FileBytes()
        file.append(tokens)
        try InferenceCase.write(file.bytes, to: name, in: directory)
      }
      let examples: [(String, [([Int32], [[Int32]], Int)])] = [
        ("long.bin", [([1], [[2]], 0), ([Int32](repeating: 1, count: 24), [[1], [2, 3]], 0)]),
        ("outside.bin", [([1, 400], [[2]], 0)]), ("none.bin", []),
      ]
      for (name, examples) in examples {
        try InferenceCase.write(HellaSwagBytes.file(examples), to: name, in: directory)
      }
      try InferenceCase.write(Array("{\"ctx\": 1}".utf8), to: "bad.jsonl", in: directory)
      let run = try Executable.run(["evaluate"] + arguments, in: directory)
      expectRefusal(run, exitCode: exitCode, location: sourceLocation)
      for fragment in fragments {
        #expect(run.errors.contains(fragment), "\(run.errors)", sourceLocation: sourceLocation)
      }
    }
  }

  @Test func badFiles() throws {
    try refused("--data", "nothing.bin", contains: "nothing.bin")
    try refused("--data", "one.bin", contains: "one.bin: the file should have at least 2 tokens", "has 1")
    try refused("--data", "empty.bin", contains: "empty.bin")
    // The second is looked at before the first is evaluated.
    try refused(
      "--data", "a.bin", "beyond.bin", contains: "beyond.bin: the token at position 2", "278")
    try refused("--data", "long.bin", contains: "long.bin", "HellaSwag")
    try refused(
      "--hellaswag", "long.bin", contains: "long.bin: example 1 should be at most the model's context of 24",
      "25")
    try refused("--hellaswag", "outside.bin", contains: "outside.bin", "example 0", "400")
    try refused("--hellaswag", "none.bin", contains: "none.bin: the number of examples")
    try refused("--hellaswag", "a.bin", contains: "a.bin", "an llm.c HellaSwag file")
    try refused(
      "--hellaswag", "bad.jsonl",
      contains: "bad.jsonl: line 1 should be an object with ctx, endings and label, but is none: ")
  }

  @Test func badOptions() throws {
    try refused(exitCode: 64, contains: "--data FILE or --hellaswag FILE, found neither")
    try refused("--data", "a.bin", "--hellaswag", "none.bin", exitCode: 64, contains: "found both")
    try refused(
      "--hellaswag", "none.bin", "--stride", "2", exitCode: 64, contains: "--stride beside --data")
    try refused(
      "--data", "a.bin", "--sequence-length", "25", contains: "--sequence-length should be in 1...24", "25")
    try refused("--data", "a.bin", "--stride", "0", contains: "--stride should be in 1...24, the window")
    try refused("--data", "a.bin", "--stride", "25", contains: "--stride should")
    try refused("--data", "a.bin", "--batch-size", "0", contains: "--batch-size should be at least 1")
    try refused("--data", "a.bin", "--checkpoint", "none", contains: "none")
    try refused("--data", "a.bin", "--tokenizer", "a.bin", contains: "a.bin")
    try refused("--data", "a.bin", "--batch-size", "1000000000", contains: "memory")
  }
}
