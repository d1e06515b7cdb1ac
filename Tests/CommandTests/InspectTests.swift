import Foundation
import TestSupport
import Testing

@Suite struct InspectTests {
  private func inspect(_ path: String) throws -> Run {
    try TemporaryDirectory.with { try Executable.run(["inspect", path], in: $0) }
  }

  private func inspect(_ content: [UInt8]) throws -> Run {
    try TemporaryDirectory.with { directory in
      let url = directory.appending(path: "file.bin")
      try Data(content).write(to: url)
      return try Executable.run(["inspect", url.path], in: directory)
    }
  }

  @Test func checkpoints() throws {
    let tiny = ReferenceCase.tiny
    let models = [
      (tiny.model, "version 3, float32"), (tiny.modelVersion1, "version 1"), (tiny.modelBFloat16, "bfloat16"),
    ]
    for (model, kind) in models {
      let run = try inspect(model.path)
      #expect(run.exitCode == 0 && run.output.contains(kind), "\(run.output)")
      #expect(run.output.contains("2 layers, 2 heads, 12 channels, vocabulary 29"), "\(run.output)")
    }
    let parameters = try tiny.parameters()
    let output = try inspect(tiny.model.path).lines
    for (name, values) in parameters where name != "wte" {
      let line = try #require(output.first { $0.hasPrefix(name + " ") })
      let columns = line.split(separator: " ").suffix(4).compactMap { Double($0) }
      let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
      let variance =
        values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(values.count)
      let expected = [Double(values.min()!), Double(values.max()!), mean, variance.squareRoot()]
      // Six decimals are printed.
      #expect(try maximumDifference(columns, expected).magnitude <= 1e-6, "\(line)")
    }
  }

  @Test func otherKinds() throws {
    let tiny = ReferenceCase.tiny
    let raw = try inspect(tiny.tokensInt32.path).output
    #expect(raw.contains("raw token file, int32") && raw.contains("221"))
    let headed = try inspect(tiny.tokensUInt16.path).output
    #expect(headed.contains("uint16") && headed.contains("221"))
    let first = try tiny.tokens().prefix(16).map(String.init).joined(separator: " ")
    #expect(raw.contains(first) && headed.contains(first))
    let state = try inspect(tiny.debugState.path).output
    #expect(state.contains("debug state") && state.contains("2 × 11 tokens"))
    let header = [20_240_328, 2, 2, 1].flatMap { bytes(Int32($0)) } + [UInt8](repeating: 0, count: 1008)
    let tokenizer = try inspect(header + [1, 65, 3, 66, 67, 68]).output
    #expect(
      tokenizer.contains("tokenizer") && tokenizer.contains("2 tokens") && tokenizer.contains("3 bytes"))
    let examples = try inspect(HellaSwagBytes.file([([1, 2], [[3], [4, 5, 6]], 1), ([1], [[2]], 0)])).output
    #expect(
      examples.contains("HellaSwag") && examples.contains("examples") && examples.contains("4 tokens"),
      "\(examples)")
  }

  @Test func whatIsNothingKnown() throws {
    expectRefusal(try inspect("/none"), "/none")
    try TemporaryDirectory.with { expectRefusal(try inspect($0.path), "directory") }
    expectRefusal(try inspect([]), "file.bin", "empty")
    let text = try inspect(Array("some text of 24 letters.".utf8))
    #expect(text.exitCode == 0 && text.output.contains("kind        text\n"), "\(text.output)")
    expectRefusal(try inspect([1, 2, 3]), "file.bin", "3 bytes")
    // As uint16 these would be ids beyond any common vocabulary, as int32 negative ones.
    expectRefusal(try inspect([1, 250, 2, 250, 3, 250, 4, 251]), "8 bytes of something else", "--token-type")
    expectRefusal(try inspect(bytes(20_240_326) + bytes(3)), "8 bytes")
  }

  @Test func helpIsAResult() throws {
    try TemporaryDirectory.with { directory in
      for arguments in [
        ["--help"], ["train", "--help"], ["verify", "--help"], ["inspect", "--help"], ["convert", "--help"],
        ["generate", "--help"], ["evaluate", "--help"], ["help"], [],
      ] {
        let run = try Executable.run(arguments, in: directory)
        #expect(run.exitCode == 0 && run.errors.isEmpty && run.output.contains("USAGE: gpt2"), "\(arguments)")
      }
    }
  }
}
